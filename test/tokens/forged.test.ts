import { createPublicKey, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { by, encode, hmac, withSignature } from '../support/forge.js';
import { bearer, claimsOf, jwkSet, privateJwks } from '../support/keys.js';
import { createDatabase, execute, SECRET, startService } from '../support/service.js';
import { getToken } from '../support/steady-logins.js';

const [ec = {}, rsa = {}, strange = {}] = privateJwks('ES256', 'RS256', 'ES256');
/** Stands for a value that nests JSON as deep as a request's head has room for. */
const NESTED = '…';
/** An object, as JSON. */
const nested = (members: object) =>
  JSON.stringify(members).replace(JSON.stringify(NESTED), () => `${'['.repeat(5_000)}${']'.repeat(5_000)}`);
const ISSUER = 'https://login.example.com';

for (const provider of PROVIDERS) {
  t.test(`forged tokens on ${provider}`, async (t) => {
    const env = { JWT_KEYS: jwkSet([ec, rsa]), JWT_ISSUER: ISSUER, JWT_AUDIENCE: 'api' };
    const now = Date.now();
    const service = await startService(t, provider, { env, now: () => now });
    const id = await service.addUser('foo@bar.com', 'foobar');
    await service.addUser('else@bar.com', 'foobar');
    const issued = await getToken(service.request);
    const elses = await getToken(service.request, 'else@bar.com');
    const statusOf = async (token: string) =>
      (await service.request({ path: '/api/v1/session', headers: bearer(token) })).status;

    const seconds = Math.floor(now / 1000);
    const { sid } = claimsOf(issued);
    const good = { user_id: id, exp: seconds + 3_600, sid };
    const kid = await calculateJwkThumbprint(ec);
    const rsaKid = await calculateJwkThumbprint(rsa);
    const header = { alg: 'ES256', kid };
    const pem = createPublicKey({ key: ec, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString();

    t.equal(await statusOf(issued), 200, 'the service’s own');
    t.equal(await statusOf(withSignature(header, good, by(ec))), 200, 'made by hand, without iss and aud');
    t.equal(await statusOf(withSignature({ alg: 'HS256' }, good, hmac(SECRET))), 200, 'of before: by the secret');
    t.equal(await statusOf(withSignature({ alg: 'RS256', kid: rsaKid }, good, by(rsa))), 200, 'by the second key');

    const of = (claims: object) => withSignature(header, claims, by(ec));
    const [head = '', payload = '', signature = ''] = issued.split('.');
    const forged: { [what: string]: string } = {
      'alg none': withSignature({ alg: 'none' }, good, () => ''),
      'alg none with kid': withSignature({ alg: 'none', kid }, good, () => ''),
      'alg none, with a signature': withSignature({ alg: 'none', kid }, good, by(ec)),
      'no alg': withSignature({ kid }, good, by(ec)),
      'HS256 with the public key': withSignature({ alg: 'HS256', kid }, good, hmac(pem)),
      'HS256 with the public key, no kid': withSignature({ alg: 'HS256' }, good, hmac(pem)),
      'HS256 with the secret, and a kid': withSignature({ alg: 'HS256', kid }, good, hmac(SECRET)),
      'HS384 with the secret': withSignature({ alg: 'HS384' }, good, hmac(SECRET)),
      'an empty key': withSignature({ alg: 'HS256' }, good, hmac('')),
      'no kid': withSignature({ alg: 'ES256' }, good, by(ec)),
      'an unknown kid': withSignature({ alg: 'ES256', kid: 'x' }, good, by(ec)),
      'a kid that is no text': withSignature({ alg: 'ES256', kid: [kid] }, good, by(ec)),
      'another key’s kid': withSignature({ alg: 'ES256', kid: rsaKid }, good, by(ec)),
      'a key under another alg': withSignature({ alg: 'PS256', kid: rsaKid }, good, by(rsa)),
      'an RSA key as ES256': withSignature({ alg: 'ES256', kid: rsaKid }, good, by(rsa)),
      'a strange key under our kid': withSignature(header, good, by(strange)),
      'a jwk in the header': withSignature({ ...header, jwk: strange }, good, by(strange)),
      crit: withSignature({ ...header, crit: ['b64'], b64: false }, good, by(ec)),
      'expired by a second': of({ ...good, exp: seconds - 1 }),
      'no exp': of({ user_id: id, sid }),
      'exp as text': of({ ...good, exp: String(good.exp) }),
      'exp of null': of({ ...good, exp: null }),
      'exp as a list': of({ ...good, exp: [good.exp] }),
      'nbf to come': of({ ...good, nbf: seconds + 600 }),
      'no user_id': of({ exp: good.exp, sid, sub: String(id) }),
      'user_id as text': of({ ...good, user_id: String(id) }),
      'user_id of 0': of({ ...good, user_id: 0 }),
      'user_id beyond integers': of({ ...good, user_id: 2 ** 40 }),
      'user_id with a fraction': of({ ...good, user_id: id + 0.5 }),
      'no sid, of a user who was never imported': of({ user_id: id, exp: good.exp }),
      'sid of nobody': of({ ...good, sid: randomUUID() }),
      'sid of another user': of({ ...good, sid: claimsOf(elses).sid }),
      'sid in upper case': of({ ...good, sid: sid.toUpperCase() }),
      'sid as a list': of({ ...good, sid: [sid] }),
      'sid of null': of({ ...good, sid: null }),
      'sid with a NUL': of({ ...good, sid: `${sid.slice(0, -1)}\0` }),
      'a wrong iss': of({ ...good, iss: 'https://evil.example.com' }),
      'iss as a list': of({ ...good, iss: [ISSUER] }),
      'a wrong aud': of({ ...good, aud: 'other' }),
      'wrong auds': of({ ...good, aud: ['other', 'apis'] }),
      'claims that are a list': withSignature(header, [good], by(ec)),
      truncated: issued.slice(0, -1),
      'without a signature': `${head}.${payload}.`,
      'two parts': `${head}.${payload}`,
      'four parts': `${issued}.${signature}`,
      'another payload': `${head}.${encode({ ...good, user_id: id + 1 })}.${signature}`,
      'nested JSON without an end': `${head}.${Buffer.from('['.repeat(10_000)).toString('base64url')}.${signature}`,
      '8 KiB': 'x'.repeat(8_192),
      '8 KiB of header': `${'e'.repeat(8_192)}.${payload}.${signature}`,
    };
    for (const [what, token] of Object.entries(forged)) t.equal(await statusOf(token), 401, what);
    for (const name of ['alg', 'kid', 'crit', 'other']) {
      const token = withSignature(nested({ ...header, [name]: NESTED }), good, by(ec));
      t.equal(await statusOf(token), name === 'other' ? 200 : 401, `nested JSON in ${name}`);
    }
    for (const name of ['user_id', 'exp', 'sid', 'iss', 'aud', 'nbf', 'other']) {
      const token = withSignature(header, nested({ ...good, [name]: NESTED }), by(ec));
      t.equal(await statusOf(token), name === 'other' ? 200 : 401, `nested JSON in ${name}`);
    }
    t.equal(await statusOf(of({ ...good, aud: ['other', 'api'], iss: ISSUER })), 200, 'one of several auds is ours');
  });
}

t.test('without a keys file no kid is known, and without a secret no HS256', async (t) => {
  const good = { user_id: 1, exp: Math.floor(Date.now() / 1000) + 3_600 };
  const hs256 = withSignature({ alg: 'HS256' }, good, hmac(SECRET));
  const es256 = withSignature({ alg: 'ES256', kid: await calculateJwkThumbprint(ec) }, good, by(ec));
  for (const [env, accepted, refused] of [
    [{}, hs256, es256],
    [{ JWT_KEYS: jwkSet([ec]), JWT_SECRET: '' }, es256, hs256],
  ] as const) {
    const databaseUrl = await createDatabase(t, 'sqlite');
    const service = await startService(t, 'sqlite', { env, databaseUrl });
    t.equal(await service.addUser('foo@bar.com', 'foobar'), 1);
    // As an import leaves it: tokens without `sid` are good.
    await execute(
      readConfig({ DATABASE_URL: databaseUrl }, { issuesTokens: false }).databaseUrl,
      "UPDATE users SET sessions_epoch = ''",
    );
    const statusOf = async (token: string) =>
      (await service.request({ path: '/api/v1/session', headers: bearer(token) })).status;
    t.equal(await statusOf(accepted), 200);
    t.equal(await statusOf(refused), 401);
  }
});
