import type { Handler } from '../operation.js';

export const getContractAsJson: Handler<'getContractAsJson'> = ({ origin }, { contract }) => ({
  status: 200,
  body: contract.served.asObject(origin),
});
