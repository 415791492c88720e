import { Api } from './generated/swagger-typescript-api/index.js';
import type { Credentials, Outcome } from './login.js';

export async function login(baseUrl: string, credentials: Credentials): Promise<Outcome> {
  try {
    const { data } = await new Api({ baseUrl }).api.createSession(credentials);
    return { token: data.auth_token };
  } catch (reply) {
    // It throws what is no success, without a type.
    const { error } = reply as Awaited<ReturnType<InstanceType<typeof Api>['api']['createSession']>>;
    return { message: error.message, ...('errors' in error && { fields: error.errors?.map(({ field }) => field) }) };
  }
}
