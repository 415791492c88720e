/**
 * Node.js' own HTTP server with nothing but the hash in it: what any service on Node.js could reach at most beside the load
 * generator. Arguments: the hashing, and a digest of the password that is sent.
 */
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { createHashQueue } from '#built/passwords/hash-queue.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { hashesForPool } from '#built/passwords/thread-pool.js';

const [hashing = '', digest = ''] = process.argv.slice(2);
const passwords = createPasswords(JSON.parse(hashing));
const hashQueue = createHashQueue({ slots: hashesForPool(process.env), maxQueue: 1_000, maxWait: 10_000 });

const server = createServer(async (request, response) => {
  const password = new URLSearchParams(await text(request)).get('password') ?? '';
  const matches = await hashQueue.run(() => passwords.verify(password, { passwordDigest: digest, peppered: null }));
  response.statusCode = matches ? 200 : 401;
  response.end();
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => {
  const address = server.address();
  if (address && typeof address === 'object') console.log(`http://127.0.0.1:${address.port}`);
});
process.once('SIGTERM', () => server.close());
