import type { Handler } from '../operation.js';

export const getContractAsJson: Handler<'getContractAsJson'> = (_input, { contract }) => ({
  status: 200,
  body: contract.document,
});
