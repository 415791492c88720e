import type { Handler } from '../../contract/handler.js';

export const getSession: Handler<'getSession'> = ({ caller: { userId, exp, sid } }) => ({
  status: 200,
  body: { user_id: userId, exp, ...(sid !== undefined && { sid }) },
});
