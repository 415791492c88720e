// Answers each token of standard input with a line, by the program of docs/verifying.md that the argument names.
import { createInterface } from 'node:readline';

const { verify } = await import(`./${process.argv[2]}.js`);
for await (const token of createInterface({ input: process.stdin })) {
  console.log(
    await verify(token).then(
      (userId) => `good ${userId}`,
      (error) => `bad ${error.message}`,
    ),
  );
}
