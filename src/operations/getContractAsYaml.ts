import type { Handler } from '../operation.js';

export const getContractAsYaml: Handler<'getContractAsYaml'> = (_input, { contract }) => ({
  status: 200,
  body: contract.source,
});
