import type { Handler } from '../../contract/handler.js';

export const authorizeRequest: Handler<'authorizeRequest'> = ({ caller: { userId } }) => ({
  status: 200,
  headers: { 'X-User-Id': userId },
  body: undefined,
});
