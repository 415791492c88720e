import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { startApplication } from '../support/application.js';

const DJANGO = 'pbkdf2_sha256$1000$c2FsdA$GFutj6z8ZQZEA8yFP7RPoKbZ5PYuAyTil3A1OCPvfx0=';

for (const provider of PROVIDERS) {
  t.test(`a login is no change of the user, on ${provider}`, async (t) => {
    let now = Date.now();
    const { admin, create, tokenOf } = await startApplication(t, provider, { now: () => now });
    const id = await create('foo@bar.com');
    const before = await admin('GET', `/${id}`, 200);
    const lastLogin = async (differs = '') => {
      for (;;) {
        const { last_login_at = '', ...user } = await admin('GET', `/${id}`, 200);
        await wait(20);
        if (last_login_at === differs) continue;
        t.same(user, before);
        return last_login_at;
      }
    };
    await tokenOf('foo@bar.com');
    const first = await lastLogin();
    t.equal(Date.parse(first), now);
    now += 59 * 60 * 1_000;
    await tokenOf('foo@bar.com');
    now += 60 * 1_000;
    await tokenOf('foo@bar.com');
    t.equal(Date.parse(await lastLogin(first)), now, 'to the hour');

    const { digest_format, ...imported } = await admin('POST', '', 201, {
      email: 'django@bar.com',
      password_digest: DJANGO,
    });
    await tokenOf('django@bar.com', 'foobar');
    for (;;) {
      const { last_login_at, digest_format: format, ...user } = await admin('GET', `/${imported.id}`, 200);
      await wait(20);
      if (format === digest_format) continue;
      t.same(user, imported, 'nor is an upgrade of the digest');
      break;
    }
  });
}
