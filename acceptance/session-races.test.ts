/** Logins in flight while the user's sessions are ended. */
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { type Database, openDatabase } from '#built/database/database.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { updateUser } from '#built/users/update-user.js';
import { bearer } from '../test/support/keys.js';
import { send } from '../test/support/send.js';
import { createDatabase, startService, UNTHROTTLED } from '../test/support/service.js';
import { CHEAP, login } from '../test/support/steady-logins.js';

const TIMES = 400;

t.setTimeout(600_000);

const bcrypt = createPasswords({ algorithm: 'bcrypt', cost: 4 });
const digest = await bcrypt.hash('foobar');

/** What ends all sessions of a user, and lets her log in again. */
const ENDS: { [what: string]: (database: Database, id: number) => Promise<unknown> } = {
  'a log-out everywhere': (database, id) => database.sessions.endAll(id),
  'a new password': ({ users }, id) => updateUser(users, id, { digest }),
  async 'disabling the user'({ users }, id) {
    await updateUser(users, id, { disabled: true });
    await updateUser(users, id, { disabled: false });
  },
};

for (const provider of PROVIDERS) {
  for (const [what, end] of Object.entries(ENDS)) {
    t.test(`${TIMES} logins during ${what} on ${provider}`, async (t) => {
      const DATABASE_URL = await createDatabase(t, provider);
      let begun = () => {};
      // A login has read its user when its password is verified.
      const passwords: typeof bcrypt = {
        ...bcrypt,
        verify(...args) {
          begun();
          return bcrypt.verify(...args);
        },
      };
      const env = { ...CHEAP, ...UNTHROTTLED };
      const { url, addUser } = await startService(t, provider, { databaseUrl: DATABASE_URL, env, passwords });
      const id = await addUser('foo@bar.com', 'foobar', digest);
      const database = await openDatabase(readConfig({ DATABASE_URL }, { issuesTokens: false }).databaseUrl);
      t.teardown(() => database.close());

      const good: string[] = [];
      let succeeded = 0;
      for (let time = 0; time < TIMES; time += 1) {
        const verifying = new Promise<void>((resolve) => {
          begun = resolve;
        });
        const reply = login(url);
        await verifying;
        const [{ status, body }] = await Promise.all([reply, end(database, id)]);
        if (status !== 200) continue;
        succeeded += 1;
        const { auth_token: token } = JSON.parse(body);
        if ((await send(url, { path: '/api/v1/session', headers: bearer(token) })).status !== 401) good.push(token);
      }
      t.same(good, [], 'no session that was begun before is good afterwards');
      t.equal(succeeded, TIMES);
    });
  }
}
