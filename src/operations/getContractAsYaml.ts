import type { Handler } from '../operation.js';

export const getContractAsYaml: Handler<'getContractAsYaml'> = ({ origin }, { contract }) => ({
  status: 200,
  body: contract.served.asYaml(origin),
});
