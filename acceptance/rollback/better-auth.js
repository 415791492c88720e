/**
 * An app with better-auth: `sign-up` creates the tables and the users, `log-in` prints for each whether it may, or the error.
 * A JSON array of emails and passwords comes on standard input. STOCK is set for an app without the guide's `verify`.
 */
import { json } from 'node:stream/consumers';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import pg from 'pg';
import { verify } from './verify.js';

const { DATABASE_URL, STOCK } = process.env;
const database = new pg.Pool({ connectionString: DATABASE_URL });
const auth = betterAuth({
  baseURL: 'http://localhost',
  secret: 'a secret that only this app has: 4ahd73nc',
  database,
  logger: { disabled: true },
  emailAndPassword: { enabled: true, minPasswordLength: 1, ...(!STOCK && { password: { verify } }) },
});

async function outcomeOf(user) {
  try {
    await auth.api.signInEmail({ body: user });
    return true;
  } catch (error) {
    return error.body?.code === 'INVALID_EMAIL_OR_PASSWORD' ? false : error.message;
  }
}

const users = await json(process.stdin);
if (process.argv[2] === 'sign-up') {
  await (await getMigrations(auth.options)).runMigrations();
  for (const user of users) await auth.api.signUpEmail({ body: { ...user, name: '' } });
} else {
  console.log(JSON.stringify(await Promise.all(users.map(outcomeOf))));
}
await database.end();
