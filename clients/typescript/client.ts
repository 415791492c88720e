import { adminRoutes, type operations, publicRoutes, userRoutes } from './contract.js';

type Operations = operations;
type OperationId = keyof Operations;

type Content<Message> = Message extends { content: infer ByMediaType } ? ByMediaType[keyof ByMediaType] : undefined;
type Responses<Id extends OperationId> = Operations[Id]['responses'];
type Fields<Part> = [NonNullable<Part>] extends [never] ? unknown : NonNullable<Part>;

/** The parameters of path and query, and the fields of the body. No operation has one name in two of them. */
type Input<Id extends OperationId> = Fields<Operations[Id]['parameters']['path']> &
  Fields<Operations[Id]['parameters']['query']> &
  Fields<Content<NonNullable<Operations[Id]['requestBody']>>>;

/** A reply of an operation. Its `status` tells the type of its `data`; `ok` is whether it is a success. */
export type Reply<Id extends OperationId> = {
  [Status in keyof Responses<Id> & number]: {
    status: Status;
    ok: `${Status}` extends `2${string}` ? true : false;
    data: Content<Responses<Id>[Status]>;
    headers: Headers;
  };
}[keyof Responses<Id> & number];

type Send<Id extends OperationId> =
  unknown extends Input<Id>
    ? (input?: Record<string, never>, options?: RequestOptions) => Promise<Reply<Id>>
    : Partial<Input<Id>> extends Input<Id>
      ? (input?: Input<Id>, options?: RequestOptions) => Promise<Reply<Id>>
      : (input: Input<Id>, options?: RequestOptions) => Promise<Reply<Id>>;

type Client<Routes> = { [Id in keyof Routes]: Id extends OperationId ? Send<Id> : never };

/** The operations that need no token. */
export type PublicClient = Client<typeof publicRoutes>;
/** The operations of a user. */
export type UserClient = Client<typeof userRoutes>;
/** The operations of the application that owns the users. */
export type AdminClient = Client<typeof adminRoutes>;

/** Those of fetch, such as `signal` and `headers`. */
export type RequestOptions = Omit<RequestInit, 'body' | 'method'>;

export type ClientOptions = {
  /** The address of Sessions API; the page's origin unless given. */
  baseUrl?: string;
  /** In place of the global one. */
  fetch?: typeof fetch;
  /**
   * How often a request is sent again after a 429 or 503; 2 unless given. A POST or PATCH is not after a 503 by which the
   * service may have done it: only after a 429, or the code `overloaded`.
   */
  retries?: number;
  /** Seconds. A reply with a longer `Retry-After` is returned at once; 10 unless given. */
  maxRetryAfter?: number;
};

/** An answer that is not one of Sessions API: a proxy's, or another server's. */
export class UnexpectedReply extends Error {
  override name = 'UnexpectedReply';
  constructor(
    readonly status: number,
    readonly headers: Headers,
  ) {
    super(`unexpected reply: status ${status}, ${headers.get('content-type') ?? 'no content type'}`);
  }
}

/** @example const { status, data } = await createClient({ baseUrl }).createSession({ email, password }) */
export function createClient(options: ClientOptions = {}): PublicClient {
  return clientOf(publicRoutes, options);
}

/** @param options - with the `auth_token` of a session. `keepSession` has a client that renews its token. */
export function createUserClient({ token, ...options }: ClientOptions & { token: string }): UserClient {
  return clientOf(userRoutes, options, token);
}

/** @param options - with one of the service's ADMIN_TOKENS. Not for browsers: who has the token can be any user. */
export function createAdminClient({ token, ...options }: ClientOptions & { token: string }): AdminClient {
  return clientOf(adminRoutes, options, token);
}

/** @param token - unless `options.fetch` adds it */
export function clientOf<Routes extends { [id: string]: string }>(
  routes: Routes,
  options: ClientOptions,
  token?: string,
): Client<Routes> {
  const operations = Object.entries(routes).map(([id, route]) => [
    id,
    (input?: object, init?: RequestOptions) => send(route, options, token, input, init),
  ]);
  return Object.fromEntries(operations);
}

async function send(
  route: string,
  { baseUrl = '', fetch = globalThis.fetch, retries = 2, maxRetryAfter = 10 }: ClientOptions,
  token: string | undefined,
  input: object = {},
  init: RequestOptions = {},
) {
  const [method = '', template = '', mediaType = 'application/json'] = route.split(' ');
  // A repeated one may change something twice.
  const isChange = method === 'POST' || method === 'PATCH';
  let path = template;
  const rest = new Map<string, unknown>();
  for (const [name, value] of Object.entries(input)) {
    if (path.includes(`{${name}}`)) path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (value !== undefined) rest.set(name, value);
  }
  const headers = new Headers(init.headers);
  if (token !== undefined) headers.set('Authorization', `Bearer ${token}`);
  if (isChange) headers.set('Content-Type', 'application/json');
  else if (rest.size > 0) path += `?${new URLSearchParams([...rest].map(([name, value]) => [name, String(value)]))}`;
  const body = isChange ? JSON.stringify(Object.fromEntries(rest)) : null;

  for (let attempt = 0; ; attempt += 1) {
    const reply = await fetch(baseUrl.replace(/\/$/, '') + path, { ...init, method, headers, body });
    const { status, ok } = reply;
    const text = await reply.text();
    const isJson = text !== '' && isOf(reply, 'application/json');
    const data = isJson ? JSON.parse(text) : text || undefined;
    const error: { message?: unknown; code?: unknown } = ok ? {} : Object(data);

    const mayRepeat = status === 429 || (status === 503 && (!isChange || error.code === 'overloaded'));
    const seconds = Number(reply.headers.get('Retry-After') ?? 2 ** attempt);
    if (mayRepeat && attempt < retries && seconds <= maxRetryAfter) {
      await sleep(seconds, init.signal);
    } else if (ok ? text === '' || isOf(reply, mediaType) : typeof error.message === 'string') {
      return { status, ok, data, headers: reply.headers };
    } else {
      throw new UnexpectedReply(status, reply.headers);
    }
  }
}

function isOf({ headers }: Response, mediaType: string): boolean {
  return headers.get('Content-Type')?.startsWith(mediaType) ?? false;
}

/** @throws the reason of the signal, once it is aborted */
function sleep(seconds: number, signal: AbortSignal | null | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, 1_000 * seconds);
    signal?.addEventListener('abort', abort);
  });
}
