import { type Contract, operationNamed } from '../../contract/contract.js';
import type { Handler } from '../../contract/handler.js';
import { HttpError } from '../../errors/http-error.js';
import type { Tokens } from '../../tokens/tokens.js';

type Services = { contract: Contract; tokens: Pick<Tokens, 'issuer' | 'algorithms'> };

/** The issuer's own URL is where verifiers reach this service. */
export const getIssuer: Handler<'getIssuer', Services> = (_input, { contract, tokens }) => {
  const { issuer } = tokens;
  if (issuer === undefined) throw new HttpError(404);
  return {
    status: 200,
    body: {
      issuer,
      jwks_uri: issuer.replace(/\/$/, '') + operationNamed(contract, 'getJwks').path,
      id_token_signing_alg_values_supported: tokens.algorithms(),
      subject_types_supported: ['public'],
      response_types_supported: [],
    },
  };
};
