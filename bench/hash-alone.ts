/** Prints how many passwords a process verifies in a second that does nothing else. Arguments: the hashing, and seconds. */
import { createPasswords } from '#built/passwords/passwords.js';
import { hashesForPool } from '#built/passwords/thread-pool.js';

const [hashing = '', seconds] = process.argv.slice(2);
const password = 'correct horse battery staple';

const passwords = createPasswords(JSON.parse(hashing));
const digest = await passwords.hash(password);
async function verificationsIn(milliseconds: number): Promise<number> {
  const end = performance.now() + milliseconds;
  let done = 0;
  const verify = async () => {
    for (; performance.now() < end; done += 1) await passwords.verify(password, digest);
  };
  await Promise.all(Array.from({ length: hashesForPool(process.env) }, verify));
  return done;
}
// As the service is measured: warm.
await verificationsIn(1_000);
console.log((await verificationsIn(Number(seconds) * 1_000)) / Number(seconds));
