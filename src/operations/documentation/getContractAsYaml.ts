import type { Contract } from '../../contract/contract.js';
import type { Handler } from '../../contract/handler.js';

export const getContractAsYaml: Handler<'getContractAsYaml', { contract: Contract }> = ({ origin }, { contract }) => ({
  status: 200,
  body: contract.served.asYaml(origin()),
});
