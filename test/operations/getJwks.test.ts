import { calculateJwkThumbprint, createLocalJWKSet, jwtVerify } from 'jose';
import t from 'tap';
import { loadContract, operationNamed } from '#built/contract/contract.js';
import { ALGORITHMS } from '#built/tokens/jwk-set.js';
import { jwkSet, privateJwks, RFC_8037 } from '../support/keys.js';
import { startService } from '../support/service.js';
import { getToken } from '../support/steady-logins.js';

const jwks = { path: '/.well-known/jwks.json' };

t.test('when the service has no keys file', async (t) => {
  const service = await startService(t, 'sqlite');
  const reply = await service.request(jwks);
  t.equal(reply.status, 200);
  t.equal(reply.body, '{"keys":[]}');
});

t.test('when a key signs tokens', async (t) => {
  const service = await startService(t, 'sqlite', { env: { JWT_KEYS: jwkSet([RFC_8037]) } });
  const reply = await service.documented(t.name, jwks);
  t.same(JSON.parse(reply.body), operationNamed(loadContract(), 'getJwks').replies.get(200)?.example);
});

for (const algorithm of ALGORITHMS) {
  t.test(`when the first key is for ${algorithm}`, async (t) => {
    const others = ALGORITHMS.filter((other) => other !== algorithm);
    const keys = privateJwks(algorithm, ...others);
    const env = {
      JWT_KEYS: jwkSet(keys),
      JWT_SECRET: '',
      JWT_ISSUER: 'https://login.example.com',
      JWT_AUDIENCE: 'a, b',
    };
    // The clock stands still: `exp` is of before the hash, `iat` of after it.
    const now = Date.now();
    const service = await startService(t, 'sqlite', { env, now: () => now });
    const id = await service.addUser('foo@bar.com', 'foobar');
    const reply = await service.request(jwks);
    t.equal(reply.status, 200);
    t.equal(reply.headers['cache-control'], 'public, max-age=600');
    const set = JSON.parse(reply.body);
    t.same(
      set.keys.map(({ alg, use }: { alg: string; use: string }) => `${alg} ${use}`),
      [algorithm, ...others].map((alg) => `${alg} sig`),
    );
    for (const [index, key] of set.keys.entries()) {
      t.equal(key.kid, await calculateJwkThumbprint(key), 'kid is the thumbprint, as jose has it');
      for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi']) {
        const value = keys[index]?.[secret];
        if (value) t.notOk(reply.body.includes(String(value)), `${secret} stays private`);
      }
    }

    const token = await getToken(service.request);
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(set), {
      issuer: env.JWT_ISSUER,
      audience: 'b',
      subject: String(id),
    });
    t.same(protectedHeader, { alg: algorithm, kid: set.keys[0].kid });
    t.same(Object.keys(payload), ['user_id', 'exp', 'sid', 'sub', 'iat', 'jti', 'iss', 'aud']);
    t.match(payload, { user_id: id, aud: ['a', 'b'], jti: /^[\da-f-]{36}$/ });
    t.equal(payload.iat, Math.floor(now / 1000));
    t.equal(payload.exp, Math.floor(now / 1000) + 86_400);
  });
}

t.test('iss and aud each by itself, and a single audience', async (t) => {
  const claimsWith = async (env: NodeJS.ProcessEnv) => {
    const service = await startService(t, 'sqlite', { env });
    await service.addUser('foo@bar.com', 'foobar');
    const token: string = await getToken(service.request);
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  };
  const issued = await claimsWith({ JWT_ISSUER: 'https://login.example.com' });
  t.same(Object.keys(issued), ['user_id', 'exp', 'sid', 'iss']);
  const addressed = await claimsWith({ JWT_AUDIENCE: 'https://api.example.com' });
  t.same(Object.keys(addressed), ['user_id', 'exp', 'sid', 'aud']);
  t.equal(addressed.aud, 'https://api.example.com');
});
