// Answers each token of standard input with a line, by the program of docs/verifying-programs.md that the argument names.
import { createInterface } from 'node:readline';
import { errors } from 'jose';

const { verify } = await import(`./${process.argv[2]}.js`);
for await (const token of createInterface({ input: process.stdin })) {
  console.log(
    await verify(token).then(
      (userId) => `good ${userId}`,
      (error) => `${isUnavailable(error) ? 'down' : 'bad'} ${error.message}`,
    ),
  );
}

function isUnavailable(error) {
  const codes = ['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC'];
  return process.argv[2] === 'jwks' && (!(error instanceof errors.JOSEError) || codes.includes(error.code));
}
