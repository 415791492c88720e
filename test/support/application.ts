import type { Test } from 'tap';
import type { Provider } from '#built/database/connection/database-url.js';
import type { components } from '../../src/generated/contract.js';
import { bearer } from './keys.js';

type Schemas = components['schemas'];

import { JSON_TYPE, type Reply, type Request } from './send.js';
import { type Service, type ServiceOptions, startService, UNTHROTTLED } from './service.js';
import { CHEAP, loginRequest } from './steady-logins.js';

export const ADMIN_TOKEN = 'an-admin-token-that-only-the-tests-know';
/** Hundreds at once are served, by a machine that is busy too. */
const PATIENT = { HASH_WAIT_MAX_MS: '60000' };
/** Good enough for the policy. */
export const PASSWORD = 'correct horse battery';

/** What the backend of an application sends. */
export function adminRequest(method: string, path: string, body?: unknown, token = ADMIN_TOKEN): Request {
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  return { method, path: `/api/v1/users${path}`, headers: { ...bearer(token), ...(body ? JSON_TYPE : {}) }, ...json };
}

/** The members of all bodies: which of them a reply has, the contract tells, and each reply is held to it. */
type AnyBody = Schemas['User'] &
  Schemas['Users'] &
  Schemas['Sessions'] &
  Schemas['Session'] &
  Schemas['OneTimeToken'] &
  Schemas['Error'];

export type Application = Service & {
  /** Sends what the backend sends, and expects a status; returns the body. */
  admin(method: string, path: string, status: number, body?: unknown): Promise<AnyBody>;
  /** Creates a user with PASSWORD; returns the id. */
  create(email: string, more?: object): Promise<number>;
  logIn(email: string, password?: string): Promise<Reply>;
  /** The token of a login. */
  tokenOf(email: string, password?: string): Promise<string>;
  /** Posts JSON, with a user's token if it is given. */
  post(path: string, body: unknown, token?: string): Promise<Reply>;
};

/** Starts the service as an application that owns the users sees it. */
export async function startApplication(
  t: Test,
  provider: Provider,
  { env = {}, ...options }: ServiceOptions = {},
): Promise<Application> {
  const settings = { ...CHEAP, ...UNTHROTTLED, ...PATIENT, ADMIN_TOKENS: ADMIN_TOKEN, ...env };
  const service = await startService(t, provider, { env: settings, ...options });
  const admin: Application['admin'] = async (method, path, status, body) => {
    const reply = await service.request(adminRequest(method, path, body));
    t.equal(reply.status, status, `${method} ${path}: ${reply.body}`);
    return JSON.parse(reply.body || 'null');
  };
  const logIn = (email: string, password = PASSWORD) => service.request(loginRequest(password, email));
  return {
    ...service,
    admin,
    create: async (email, more) => (await admin('POST', '', 201, { email, password: PASSWORD, ...more })).id,
    logIn,
    async tokenOf(email, password) {
      const reply = await logIn(email, password);
      t.equal(reply.status, 200, 'the user logs in');
      return JSON.parse(reply.body).auth_token;
    },
    post: (path, body, token) =>
      service.request({
        method: 'POST',
        path: `/api/v1/user${path}`,
        headers: { ...JSON_TYPE, ...(token ? bearer(token) : {}) },
        body: JSON.stringify(body),
      }),
  };
}

/** How often each status came. */
export function countStatuses(replies: Reply[]): { [status: string]: number } {
  const counts: { [status: string]: number } = {};
  for (const { status } of replies) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
