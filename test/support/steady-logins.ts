import { createHmac } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { Test } from 'tap';
import { type Options, type Running, run, start } from './executable.js';
import { FORM, type Reply, type Request, send } from './send.js';

/** So that many logins take little time. */
export const CHEAP = { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };

/** As whoever keeps secrets does it: a reader finds the one or the other, and never a half. */
export async function replaceFile(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content);
  await rename(`${file}.new`, file);
}

export async function startWithUser(t: Test, options: Options): Promise<Running> {
  await run(['users', 'add', '--allow-weak', 'foo@bar.com'], { ...options, input: 'foobar\n' });
  return start(t, options);
}

export function loginRequest(password = 'foobar', email = 'foo@bar.com'): Request {
  const body = new URLSearchParams({ email, password }).toString();
  return { method: 'POST', path: '/api/v1/sessions', headers: FORM, body };
}

export function login(url: string, password?: string, email?: string) {
  return send(url, loginRequest(password, email));
}

/** @param from - the service's URL, or what sends it a request and checks the reply */
export async function getToken(from: string | ((request: Request) => Promise<Reply>), email?: string): Promise<string> {
  const request = loginRequest('foobar', email);
  const { status, body } = await (typeof from === 'string' ? send(from, request) : from(request));
  if (status !== 200) throw new Error(`login was answered with ${status}`);
  return JSON.parse(body).auth_token;
}

export function isSignedWith(secret: string, token: string): boolean {
  const [header, payload, signature] = token.split('.');
  return createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url') === signature;
}

/** `at` is when it came, by `performance.now()`; without a reply the status is 0, and the body the error. */
type SteadyReply = { status: number; body: string; at: number; milliseconds: number };

/**
 * Logs in all the time, over some connections at once.
 *
 * @param options.pause - milliseconds between the logins of one connection
 */
export function keepLoggingIn(url: string, { clients = 8, password = 'foobar', pause = 0 } = {}) {
  let going = true;
  let waiting: { atLeast: number; resolve(): void } | undefined;
  const replies: SteadyReply[] = [];
  const loop = async () => {
    while (going) {
      const begun = performance.now();
      const { status, body } = await login(url, password).catch((error) => ({ status: 0, body: String(error) }));
      const at = performance.now();
      replies.push({ status, body, at, milliseconds: at - begun });
      if (waiting && replies.length >= waiting.atLeast) waiting.resolve();
      if (pause > 0) await wait(pause);
    }
  };
  const loops = Array.from({ length: clients }, loop);
  return {
    /** So far. */
    replies: replies as readonly SteadyReply[],
    /** Resolves when so many more have been answered. */
    more: (count: number) =>
      new Promise<void>((resolve) => {
        waiting = { atLeast: replies.length + count, resolve };
      }),
    async stop() {
      going = false;
      await Promise.all(loops);
      return { failed: replies.filter(({ status }) => status !== 200), tokens: replies.map(tokenOf) };
    },
  };
}

function tokenOf({ status, body }: SteadyReply): string {
  return status === 200 ? JSON.parse(body).auth_token : '';
}
