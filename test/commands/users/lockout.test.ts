import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { run } from '../../support/executable.js';
import { createDatabase, SECRET, startService } from '../../support/service.js';
import { loginRequest } from '../../support/steady-logins.js';

const LIMITS = { THROTTLE_EMAIL_ADDRESS: '2', THROTTLE_EMAIL: '3', THROTTLE_ADDRESS: '100' };

for (const provider of PROVIDERS) {
  t.test(`users show names a lockout on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const DATABASE_URL = await createDatabase(t, provider);
    // The key of the counters is the database's: the command needs no JWT_SECRET.
    const show = async (...args: string[]) => {
      const { stdout } = await run(['users', 'show', 'foo@bar.com', ...args], {
        cwd,
        env: { ...LIMITS, DATABASE_URL },
      });
      return stdout;
    };
    const failedLogins = async (...args: string[]) => JSON.parse(await show('--json', ...args)).failed_logins;
    const env = { ...LIMITS, JWT_SECRET: SECRET, TRUST_PROXY: 'true', PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };
    const service = await startService(t, provider, { databaseUrl: DATABASE_URL, env });
    await service.addUser('foo@bar.com', 'foobar');
    t.same(await failedLogins(), []);
    t.notMatch(await show(), /failed logins/);

    const guess = async (address: string) => {
      const request = loginRequest('wrong');
      const headers = { ...request.headers, 'x-forwarded-for': address };
      return (await service.request({ ...request, headers })).status;
    };
    t.same([await guess('192.0.2.1'), await guess('192.0.2.1')], [401, 401]);
    t.same(await failedLogins(), [{ budget: 'email', failures: 2, limit: 3, locked_until: null }]);
    t.match(await failedLogins('--address', '192.0.2.1'), [
      { budget: 'email_address', failures: 2, limit: 2 },
      { budget: 'address', failures: 2, limit: 100, locked_until: null },
      { budget: 'email', failures: 2 },
    ]);
    t.equal(await guess('192.0.2.2'), 401);
    t.match(await failedLogins(), [{ budget: 'email', failures: 3, locked_until: /^\d{4}-/ }]);
    t.match(await show(), /^failed logins +email: 3, the limit is 3; locked out until \d{4}-/m);

    await run(['users', 'unlock', 'foo@bar.com'], { cwd, env: { ...LIMITS, DATABASE_URL } });
    t.same(await failedLogins(), [], 'unlocking forgives them');
  });
}
