import { createClient } from './generated/hey-api/client/index.js';
import { createSession } from './generated/hey-api/index.js';
import type { Credentials, Outcome } from './login.js';

export async function login(baseUrl: string, body: Credentials): Promise<Outcome> {
  const { data, error } = await createSession({ client: createClient({ baseUrl }), body });
  if (data) return { token: data.auth_token };
  return { message: error.message, ...('errors' in error && { fields: error.errors?.map(({ field }) => field) }) };
}
