import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { ADMIN_TOKEN, startApplication } from '../support/application.js';
import { bearer } from '../support/keys.js';

const ownUser = { path: '/api/v1/user' };

for (const provider of PROVIDERS) {
  t.test(`Api::V1::User on ${provider}`, async (t) => {
    const { admin, create, documented, request, tokenOf } = await startApplication(t, provider);
    await create('else@bar.com');
    const id = await create('foo@bar.com');
    const token = await tokenOf('foo@bar.com');

    t.test('when the token is good', async (t) => {
      const reply = await documented(t.name, { ...ownUser, headers: bearer(token) });
      t.equal(reply.status, 200);
      const { last_login_at, ...user } = await admin('GET', `/${id}`, 200);
      t.match(JSON.parse(reply.body), user);
    });

    t.test('when it is not', async (t) => {
      t.equal((await request(ownUser)).status, 401);
      const admins = await request({ ...ownUser, headers: bearer(ADMIN_TOKEN) });
      t.equal(admins.status, 401, 'the admin token is no user’s');
      t.match(admins.headers['www-authenticate'], /^Bearer realm="user", error="invalid_token"$/);
      await admin('DELETE', `/${id}`, 204);
      t.equal((await request({ ...ownUser, headers: bearer(token) })).status, 401);
    });
  });
}
