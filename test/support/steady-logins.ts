import { createHmac } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import type { Test } from 'tap';
import { type Options, type Running, run, start } from './executable.js';
import { FORM, send } from './send.js';

/** So that many logins take little time. */
export const CHEAP = { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };

/** As whoever keeps secrets does it: a reader finds the one or the other, and never a half. */
export async function replaceFile(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content);
  await rename(`${file}.new`, file);
}

export async function startWithUser(t: Test, options: Options): Promise<Running> {
  await run(['users', 'add', 'foo@bar.com'], { ...options, input: 'foobar\n' });
  return start(t, options);
}

export function login(url: string) {
  return send(url, {
    method: 'POST',
    path: '/api/v1/sessions',
    headers: FORM,
    body: 'email=foo%40bar.com&password=foobar',
  });
}

export async function getToken(url: string): Promise<string> {
  const { status, body } = await login(url);
  if (status !== 200) throw new Error(`login was answered with ${status}`);
  return JSON.parse(body).auth_token;
}

export function isSignedWith(secret: string, token: string): boolean {
  const [header, payload, signature] = token.split('.');
  return createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url') === signature;
}

/** Logs in all the time, over eight connections at once. */
export function keepLoggingIn(url: string) {
  let going = true;
  let waiting: { atLeast: number; resolve(): void } | undefined;
  const replies: { status: number; body: string }[] = [];
  const loop = async () => {
    while (going) {
      replies.push(await login(url).catch((error) => ({ status: 0, body: String(error) })));
      if (waiting && replies.length >= waiting.atLeast) waiting.resolve();
    }
  };
  const loops = Array.from({ length: 8 }, loop);
  return {
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

function tokenOf({ status, body }: { status: number; body: string }): string {
  return status === 200 ? JSON.parse(body).auth_token : '';
}
