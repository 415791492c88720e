import { HttpError } from '../errors/http-error.js';

/** What was asked is of no use to a disabled user. */
export class UserDisabled extends HttpError {
  constructor() {
    super(409, 'The user is disabled', { code: 'user_disabled' });
  }
}
