import type { Handler } from '../contract/handler.js';

export const getContractAsJson: Handler<'getContractAsJson'> = ({ origin }, { contract }) => ({
  status: 200,
  body: contract.served.asObject(origin),
});
