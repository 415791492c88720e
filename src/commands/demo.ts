import { randomBytes } from 'node:crypto';
import { readConfig } from '../config/config.js';
import { loadContract, operationNamed } from '../contract/contract.js';
import { openDatabase } from '../database/database.js';
import { migrate } from '../database/migrations/migrate.js';
import { createPasswords } from '../passwords/passwords.js';
import { updateUser } from '../users/update-user.js';
import { serve } from './serve.js';

/** A separate database: the password of the demo user is public. */
const DATABASE_URL = 'file:./data/demo.db';

/** Serves a database with the user of the contract's first example, and prints how to log in. */
export async function demo(environment: NodeJS.ProcessEnv): Promise<void> {
  const adminToken = randomBytes(32).toString('base64url');
  const secrets = { DATABASE_URL, DATABASE_URL_FILE: '', ADMIN_TOKENS: adminToken, ADMIN_TOKENS_FILE: '' };
  const env = { LOG_LEVEL: 'warn', ...environment, ...secrets };
  const config = readConfig(env, { issuesTokens: true });
  const contract = loadContract();
  const login = operationNamed(contract, 'createSession');
  const [body] = login.bodies.values();
  const { email = '', password = '' } = body?.examples[0]?.value ?? {};

  await migrate(config.databaseUrl);
  const database = await openDatabase(config.databaseUrl);
  const digest = await createPasswords(config.hashing).hash(password);
  const user = await database.users.find({ email });
  if (user) await updateUser(database.users, user.id, { digest });
  else await database.users.add(email, digest);
  await database.close();

  const url = await serve(env);
  console.log(`
One user is stored: ${email} with the password ${password}. Log in with

  curl ${url}${login.path} -d '${new URLSearchParams({ email, password })}'

or in Swagger UI: ${url}${operationNamed(contract, 'getDocumentation').path}
Until it stops, the admin token is ${adminToken}
Ctrl-C stops the service.
`);
}
