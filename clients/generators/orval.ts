import { createSession } from './generated/orval/index.js';
import type { Credentials, Outcome } from './login.js';

const { fetch } = globalThis;

export async function login(baseUrl: string, credentials: Credentials): Promise<Outcome> {
  // Its client asks the host that served the page.
  globalThis.fetch = (path, init) => fetch(new URL(String(path), baseUrl), init);
  const { status, data } = await createSession(credentials);
  if (status === 200) return { token: data.auth_token };
  return { message: data.message, ...(status === 400 && { fields: data.errors?.map(({ field }) => field) }) };
}
