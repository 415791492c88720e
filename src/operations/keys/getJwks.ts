import type { Handler } from '../../contract/handler.js';
import type { Tokens } from '../../tokens/tokens.js';

export const getJwks: Handler<'getJwks', { tokens: Pick<Tokens, 'publicKeys'> }> = (_input, { tokens }) => ({
  status: 200,
  body: { keys: tokens.publicKeys() },
});
