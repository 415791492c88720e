import { loadContract, operationNamed, type Schema } from '../contract/contract.js';

/** The schema of an email and a password: new credentials are held to what a login's are held to. */
export function credentialsSchema(): Schema {
  const [body] = operationNamed(loadContract(), 'createSession').bodies.values();
  if (!body) throw new Error('openapi.yaml: createSession has no body');
  return body.schema;
}
