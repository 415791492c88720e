/** docs/verifying-programs.md: its programs, each a process that goes on while keys rotate, given tokens that are good and forged. */
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { decodeProtectedHeader } from 'jose';
import t, { type Test } from 'tap';
import { type Options, type Running, run, start } from '../test/support/executable.js';
import { by, hmac, withSignature } from '../test/support/forge.js';
import { bearer, privateJwks } from '../test/support/keys.js';
import { FORM, send } from '../test/support/send.js';
import { SECRET, UNTHROTTLED } from '../test/support/service.js';
import {
  type Built,
  build,
  GOOD_ANSWER,
  ISSUER,
  missing,
  startVerifier,
  TOOLCHAINS,
  type Verifier,
} from './verifiers.js';

/** Seconds. By a kid that it does not know, a verifier learns of other keys 30 s after its last fetch. */
const LEARNS_WITHIN = 60;
const BAD_ANSWER = /^bad /;
/** Of an unknown kid too, while a limit keeps the program from fetching the keys. */
const REFUSED = /^(bad|down) /;

const byKey = (jwk: JsonWebKey, kid: string, claims: object) => withSignature({ alg: 'ES256', kid }, claims, by(jwk));
const bySecret = (secret: string, claims: object) => withSignature({ alg: 'HS256' }, claims, hmac(secret));

/** Claims that are good but for one thing. */
function wrongClaims(good: { user_id: number; exp: number }): { [what: string]: object } {
  const { exp: _, ...withoutExp } = good;
  const { user_id: _id, ...withoutUserId } = good;
  return {
    'expired by two seconds': { ...good, exp: Math.floor(Date.now() / 1000) - 2 },
    'no exp': withoutExp,
    'no user_id': withoutUserId,
  };
}

const [strange = {}] = privateJwks('ES256');
const GOOD = { user_id: 1, exp: Math.floor(Date.now() / 1000) + 3_600 };
const GOOD_HERE = { ...GOOD, iss: ISSUER, aud: ['orders'] };

/** @param kid - of the key that signs */
function forgedWithoutKey(key: JsonWebKey, kid: string): { [what: string]: string } {
  const pem = createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString();
  const { iss: _iss, ...withoutIss } = GOOD_HERE;
  const { aud: _aud, ...withoutAud } = GOOD_HERE;
  const claims = {
    ...wrongClaims(GOOD_HERE),
    'of another issuer': { ...GOOD_HERE, iss: 'https://login.example.org' },
    'of no issuer': withoutIss,
    'for another service': { ...GOOD_HERE, aud: ['billing'] },
    'for no service': withoutAud,
  };
  return {
    ...Object.fromEntries(Object.entries(claims).map(([what, wrong]) => [what, byKey(key, kid, wrong)])),
    'signed by a strange key under our kid': byKey(strange, kid, GOOD_HERE),
    'alg none': withSignature({ alg: 'none' }, GOOD_HERE, () => ''),
    'alg none with our kid': withSignature({ alg: 'none', kid }, GOOD_HERE, () => ''),
    'HS256 keyed with our public key': withSignature({ alg: 'HS256', kid }, GOOD_HERE, hmac(pem)),
    'HS256 keyed with nothing': withSignature({ alg: 'HS256', kid }, GOOD_HERE, hmac('')),
    truncated: byKey(key, kid, GOOD_HERE).slice(0, -2),
  };
}

function forgedWithoutSecret(): { [what: string]: string } {
  const claims = Object.entries(wrongClaims(GOOD));
  return {
    ...Object.fromEntries(claims.map(([what, wrong]) => [what, bySecret(SECRET, wrong)])),
    'by another secret': bySecret(`${SECRET}!`, GOOD),
    'keyed with nothing': bySecret('', GOOD),
    'alg none': withSignature({ alg: 'none' }, GOOD, () => ''),
    'signed by a key': byKey(strange, 'strange', GOOD),
    truncated: bySecret(SECRET, GOOD).slice(0, -2),
  };
}

async function acceptAll(t: Test, verifiers: Verifier[], token: string, what: string): Promise<void> {
  for (const { name, ask } of verifiers) t.match(await ask(token), GOOD_ANSWER, `${name} accepts ${what}`);
}

async function refuseAll(t: Test, verifiers: Verifier[], forged: { [what: string]: string }): Promise<void> {
  for (const { name, ask } of verifiers) {
    for (const [what, token] of Object.entries(forged)) {
      t.match(await ask(token), REFUSED, `${name} refuses: ${what}`);
    }
  }
}

/**
 * Asks about a token every second until all verifiers answer so, because none says when it has fetched the keys.
 *
 * @param before - tokens that come before it each time, and their answers, which must not change
 */
async function untilAll(t: Test, verifiers: Verifier[], token: string, answer: RegExp, before: [string, RegExp][]) {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1_000;
  async function ask(verifier: Verifier): Promise<void> {
    for (const [known, expected] of before) {
      const said = await verifier.ask(known);
      if (!expected.test(said)) return void t.match(said, expected, `${verifier.name} answers as before`);
    }
    const said = await verifier.ask(token);
    if (answer.test(said) || seconds() > LEARNS_WITHIN) {
      return void t.match(said, answer, `${verifier.name}: ${said}, after ${seconds().toFixed(1)} s`);
    }
    await wait(1_000);
    return ask(verifier);
  }
  await Promise.all(verifiers.map(ask));
}

async function logIn({ url }: Running): Promise<string> {
  const body = 'email=foo%40bar.com&password=correct+horse';
  const reply = await send(url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body });
  return JSON.parse(reply.body).auth_token;
}

async function startWithUser(t: Test, options: Options): Promise<Running> {
  const added = await run(['users', 'add', 'foo@bar.com'], { ...options, input: 'correct horse' });
  if (added.code !== 0) throw new Error(added.stderr);
  return start(t, options);
}

/** The service with a keys file, and what its operator does. */
async function startWithKeys(t: Test, cwd: string) {
  const file = join(cwd, 'keys.json');
  const env = { ...UNTHROTTLED, JWT_KEYS_FILE: file, JWT_ISSUER: ISSUER, JWT_AUDIENCE: 'orders,billing' };
  const keys = async (t: Test, ...args: string[]) => {
    const { code, stdout, stderr } = await run(['keys', ...args], { cwd, env });
    t.equal(code, 0, `keys ${args[0]}`, { stderr });
    return stdout.split(' ')[0] ?? '';
  };
  await keys(t, 'generate');
  const service = await startWithUser(t, { cwd, env });
  const reloads = () => service.output().split('changed: the signing keys').length;
  return {
    service,
    async firstKey(): Promise<JsonWebKey> {
      const set: { keys: JsonWebKey[] } = JSON.parse(await readFile(file, 'utf8'));
      return set.keys[0] ?? {};
    },
    /** Runs `keys`, has the service reload, and returns the kid that `keys` prints. */
    async change(t: Test, ...args: string[]): Promise<string> {
      const kid = await keys(t, ...args);
      const before = reloads();
      service.kill('SIGHUP');
      while (reloads() === before) await wait(20);
      return kid;
    },
    /** How often the public keys were fetched. */
    fetches: () => service.output().split('"operationId":"getJwks"').length - 1,
  };
}

t.setTimeout(1_500_000);

t.test('the programs of docs/verifying-programs.md', async (t) => {
  const cwd = t.testdir({ keys: {}, secret: {} });
  const { service, firstKey, change, fetches } = await startWithKeys(t, join(cwd, 'keys'));
  const env = { ...UNTHROTTLED, JWT_SECRET: SECRET };
  const withSecret = await startWithUser(t, { cwd: join(cwd, 'secret'), env });

  const built: Built[] = [];
  // At once: most of them wait for a registry.
  t.jobs = TOOLCHAINS.length;
  const builds = TOOLCHAINS.map((toolchain) =>
    t.test(toolchain.heading, { skip: missing(toolchain), buffered: true }, async (t) => {
      built.push(await build(t, toolchain, join(cwd, toolchain.directory), service.url));
    }),
  );
  await Promise.all(builds);

  await t.test('by keys, through a rotation', async (t) => {
    const oldToken = await logIn(service);
    const { kid: oldKid = '' } = decodeProtectedHeader(oldToken);
    const unknownKid = byKey(strange, 'strange', GOOD_HERE);
    const verifiers = built.map((program) => startVerifier(t, program, 'jwks'));

    await acceptAll(t, verifiers, oldToken, 'a token');
    await acceptAll(t, verifiers, await logIn(service), 'another token');
    t.equal(fetches(), verifiers.length, 'each has fetched the keys once');
    const key = await firstKey();
    await acceptAll(t, verifiers, byKey(key, oldKid, GOOD_HERE), 'what the test signs with the service’s key');
    await refuseAll(t, verifiers, forgedWithoutKey(key, oldKid));
    for (let time = 0; time < 10; time += 1) await refuseAll(t, verifiers, { 'a strange key': unknownKid });
    t.ok(fetches() <= 2 * verifiers.length, 'strange keys do not make it fetch each time');

    const newKid = await change(t, 'add');
    await change(t, 'promote', '--force', '--', newKid);
    const newToken = await logIn(service);
    t.equal(decodeProtectedHeader(newToken).kid, newKid, 'the new key signs');
    await untilAll(t, verifiers, newToken, GOOD_ANSWER, [[oldToken, GOOD_ANSWER]]);
    await refuseAll(t, verifiers, { 'a strange key under the new kid': byKey(strange, newKid, GOOD_HERE) });

    await change(t, 'remove', '--force', '--', oldKid);
    const before: [string, RegExp][] = [
      [newToken, GOOD_ANSWER],
      [unknownKid, REFUSED],
    ];
    await untilAll(t, verifiers, oldToken, BAD_ANSWER, before);

    const session = { path: '/api/v1/session', headers: bearer(newToken) };
    t.equal((await send(service.url, { ...session, method: 'DELETE' })).status, 204, 'a log-out');
    t.equal((await send(service.url, session)).status, 401, 'the service refuses the token');
    await acceptAll(t, verifiers, newToken, 'it until it expires, as the guide warns');
  });

  await t.test('by keys, while the service does not answer', async (t) => {
    const token = await logIn(service);
    service.kill('SIGTERM');
    await service.exited;
    for (const { name, ask } of built.map((program) => startVerifier(t, program, 'jwks')))
      t.match(await ask(token), /^down /, `${name} tells this from a token that is not good`);
  });

  await t.test('by secret', async (t) => {
    const verifiers = built.map((program) => startVerifier(t, program, 'secret', { JWT_SECRET: SECRET }));
    await acceptAll(t, verifiers, await logIn(withSecret), 'a token');
    await acceptAll(t, verifiers, bySecret(SECRET, GOOD), 'what the test signs with the secret');
    await refuseAll(t, verifiers, forgedWithoutSecret());
    for (const [what, env] of Object.entries({ unset: {}, empty: { JWT_SECRET: '' } })) {
      for (const program of built) {
        const { name, ask } = startVerifier(t, program, 'secret', env);
        t.match(await ask(bySecret('', GOOD)), /^(bad |exited)/, `${name} accepts nothing where the secret is ${what}`);
      }
    }
  });
});
