import type { Handler } from '../contract/handler.js';

export const getContractAsYaml: Handler<'getContractAsYaml'> = ({ origin }, { contract }) => ({
  status: 200,
  body: contract.served.asYaml(origin),
});
