/**
 * Fastify with nothing but the verification of a token in it, by the library that the service uses, without its cache.
 * Arguments: the file of the keys, of which the first one verifies.
 */
import { readFile } from 'node:fs/promises';
import jwt from '@fastify/jwt';
import fastify from 'fastify';
import { parseJwkSet } from '#built/tokens/jwk-set.js';

const [file = ''] = process.argv.slice(2);
const [key] = parseJwkSet(await readFile(file, 'utf8'));
if (!key) throw new Error('there is no key');
const app = fastify();
await app.register(jwt, {
  secret: { private: key.privateKey, public: key.publicKey },
  verify: { algorithms: [key.algorithm] },
});
app.get('/api/v1/session', async (request) => {
  const { user_id, exp } = await request.jwtVerify<{ user_id: number; exp: number }>();
  return { user_id, exp };
});
console.log(await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) }));
process.once('SIGTERM', () => app.close());
