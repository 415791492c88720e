/**
 * Node.js' own HTTP server with nothing but the hash in it: what any service on Node.js could reach at most beside the load
 * generator. Arguments: the hashing, and a digest of the password that is sent.
 */
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { createPasswords } from '#built/passwords/passwords.js';

const [hashing = '', digest = ''] = process.argv.slice(2);
const passwords = createPasswords(JSON.parse(hashing));

const server = createServer(async (request, response) => {
  const password = new URLSearchParams(await text(request)).get('password') ?? '';
  const matches = await passwords.verify(password, { passwordDigest: digest, peppered: null, pepper: null });
  response.statusCode = matches ? 200 : 401;
  response.end();
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => {
  const address = server.address();
  if (address && typeof address === 'object') console.log(`http://127.0.0.1:${address.port}`);
});
process.once('SIGTERM', () => server.close());
