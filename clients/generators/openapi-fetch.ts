import createClient from 'openapi-fetch';
import type { paths } from './generated/openapi-fetch/paths.js';
import type { Credentials, Outcome } from './login.js';

export async function login(baseUrl: string, body: Credentials): Promise<Outcome> {
  const { data, error } = await createClient<paths>({ baseUrl }).POST('/api/v1/sessions', { body });
  if (data) return { token: data.auth_token };
  return { message: error.message, ...('errors' in error && { fields: error.errors?.map(({ field }) => field) }) };
}
