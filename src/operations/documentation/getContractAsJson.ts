import type { Contract } from '../../contract/contract.js';
import type { Handler } from '../../contract/handler.js';

export const getContractAsJson: Handler<'getContractAsJson', { contract: Contract }> = ({ origin }, { contract }) => ({
  status: 200,
  body: contract.served.asObject(origin()),
});
