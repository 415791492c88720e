import { type ClientOptions, clientOf, createClient, type Reply, type UserClient } from './client.js';
import { type components, userRoutes } from './contract.js';

type Session = components['schemas']['Session'];

export type KeepSessionOptions = ClientOptions & {
  /** Of an earlier session, as `onRefreshToken` got it last. */
  refreshToken?: string | undefined;
  /**
   * Keeps the refresh token where the application keeps secrets. Called with each new one, and with undefined when the
   * session has ended; a promise is awaited.
   */
  onRefreshToken?: (refreshToken: string | undefined) => unknown;
};

export type KeptSession = {
  logIn(credentials: components['schemas']['Credentials']): Promise<Reply<'createSession'>>;
  /** The user's operations, sent with `fetch`. */
  user: UserClient;
  /**
   * Sends a request with the token, to whatever URL it is given. Renews the token if it has expired, and after a 401, once
   * for all requests that run at the same time; then sends the request again.
   *
   * @returns also the 401 of a session that has ended
   * @throws RenewalFailed, UnexpectedReply, and what fetch throws
   */
  fetch: typeof fetch;
  /** Forgets the tokens too, whatever the reply is. */
  logOut(): Promise<Reply<'deleteSession'>>;
};

/** Sessions API has answered a renewal, but not that the session has ended: try again later. */
export class RenewalFailed extends Error {
  override name = 'RenewalFailed';
  constructor(
    readonly status: number,
    /** Seconds to wait. */
    readonly retryAfter: string | null,
  ) {
    super(`the session could not be renewed: status ${status}`);
  }
}

type Tokens = { access: string | undefined; refresh: string | undefined; expiresAt: number };

/** Keeps the tokens of one session in memory, and renews them. A refresh token is for one keeper at a time. */
export function keepSession({ refreshToken, onRefreshToken, ...options }: KeepSessionOptions = {}): KeptSession {
  const { fetch = globalThis.fetch } = options;
  const { createSession, refreshSession } = createClient(options);
  let tokens: Tokens | undefined = refreshToken
    ? { access: undefined, refresh: refreshToken, expiresAt: 0 }
    : undefined;
  let renewal: Promise<void> | undefined;

  async function keep(session: Session | undefined, askedAt = 0): Promise<void> {
    const before = tokens?.refresh;
    tokens = session && {
      access: session.auth_token,
      refresh: session.refresh_token,
      expiresAt: session.expires_in === undefined ? Number.POSITIVE_INFINITY : askedAt + 1_000 * session.expires_in,
    };
    if (tokens?.refresh !== before) await onRefreshToken?.(tokens?.refresh);
  }

  async function renew(expired: Tokens): Promise<void> {
    if (expired.refresh === undefined) return;
    const askedAt = Date.now();
    const reply = await refreshSession({ refresh_token: expired.refresh });
    // The user may have logged in or out meanwhile.
    if (tokens !== expired) return;
    if (reply.status === 200) await keep(reply.data, askedAt);
    else if (reply.status === 401) await keep(undefined);
    else throw new RenewalFailed(reply.status, reply.headers.get('Retry-After'));
  }

  function renewOnce(expired: Tokens): Promise<void> {
    renewal ??= renew(expired).finally(() => {
      renewal = undefined;
    });
    return renewal;
  }

  function send(authorized: Request): Promise<Response> {
    if (tokens?.access) authorized.headers.set('Authorization', `Bearer ${tokens.access}`);
    return fetch(authorized);
  }

  const fetchAuthorized: typeof fetch = async (input, init) => {
    const again = new Request(input, init);
    if (tokens && Date.now() >= tokens.expiresAt) await renewOnce(tokens);
    const used = tokens;
    const reply = await send(again.clone());
    if (reply.status !== 401 || used?.refresh === undefined) return reply;
    // Unless another request has renewed it meanwhile.
    if (tokens === used) await renewOnce(used);
    if (!tokens || tokens === used) return reply;
    await reply.body?.cancel();
    return send(again);
  };

  const user = clientOf(userRoutes, { ...options, fetch: fetchAuthorized });

  return {
    async logIn(credentials) {
      const askedAt = Date.now();
      const reply = await createSession(credentials);
      if (reply.status === 200) await keep(reply.data, askedAt);
      return reply;
    },
    user: {
      ...user,
      async changePassword(...request) {
        const askedAt = Date.now();
        const reply = await user.changePassword(...request);
        // All sessions have ended, and this one has started.
        if (reply.status === 200) await keep(reply.data, askedAt);
        return reply;
      },
    },
    fetch: fetchAuthorized,
    async logOut() {
      try {
        return await user.deleteSession();
      } finally {
        await keep(undefined);
      }
    },
  };
}
