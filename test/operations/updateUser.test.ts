import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { adminRequest, countStatuses, PASSWORD, startApplication } from '../support/application.js';
import { bearer } from '../support/keys.js';

const OTHER_PASSWORD = 'battery staple horse';
const BCRYPT = '$2b$04$aVL.hF1WVbCNkZ.v8Gqaeeq23ABYbofWglLn4H/XGLlqHJcMSYkwq';

for (const provider of PROVIDERS) {
  t.test(`Api::V1::Users, changed and deleted, on ${provider}`, async (t) => {
    const { admin, create, documented, logIn, request, tokenOf } = await startApplication(t, provider);
    const id = await create('foo@bar.com');
    await create('else@bar.com');
    const statusOf = async (token: string) =>
      (await request({ path: '/api/v1/session', headers: bearer(token) })).status;

    t.test('when the user is known', async (t) => {
      const reply = await documented(t.name, adminRequest('GET', `/${id}`));
      t.equal(reply.status, 200);
      t.match(JSON.parse(reply.body), { id, email: 'foo@bar.com', version: 1 });
    });

    t.test('when the user is unknown', async (t) => {
      const reply = await documented(t.name, adminRequest('GET', '/4711'));
      t.equal(reply.status, 404);
      t.same(JSON.parse(reply.body), { message: 'User not found', code: 'user_not_found' });
      t.equal((await admin('PATCH', '/4711', 404, { disabled: true })).code, 'user_not_found');
      t.equal((await admin('DELETE', '/4711', 404)).code, 'user_not_found');
      t.equal((await admin('DELETE', '/4711/lockout', 404)).code, 'user_not_found');
      for (const path of ['/0', '/2147483648', '/one', '/1.5', '/-1'])
        t.match((await admin('GET', path, 400)).errors, [{ field: 'id' }], path);
      for (const spelling of ['0x1', '1e0', '0b1', '+1', '01', '1.', '1.01', '%201', '%201.0', '1%20', '%00'])
        t.match((await admin('DELETE', `/${spelling}`, 400)).errors, [{ field: 'id', code: 'wrong_type' }], spelling);
      t.equal((await admin('GET', '/1.0', 200)).id, 1, 'an integer in JSON Schema');
      for (const limit of ['0x10', '1e1', '+7', '07', '', '1&limit=2'])
        t.match((await admin('GET', `?limit=${limit}`, 400)).errors, [{ field: 'limit', code: 'wrong_type' }], limit);
      for (const disabled of ['1', 'TRUE', ''])
        t.match((await admin('GET', `?disabled=${disabled}`, 400)).errors, [{ field: 'disabled', code: 'wrong_type' }]);
    });

    t.test('when the email changes', async (t) => {
      const confirmed = await create('confirmed@bar.com', { email_confirmed: true });
      const user = await admin('PATCH', `/${confirmed}`, 200, { email: 'New@bar.com' });
      t.match(user, { email: 'new@bar.com', version: 2, email_confirmed_at: undefined });
      t.not(user.updated_at, user.created_at);
      t.equal((await logIn('new@bar.com')).status, 200);
      t.equal((await logIn('confirmed@bar.com')).status, 401);
      const taken = await admin('PATCH', `/${confirmed}`, 409, { email: 'else@bar.com', disabled: true });
      t.equal(taken.code, 'email_taken');
      const { updated_at, ...after } = await admin('GET', `/${confirmed}`, 200);
      t.match(after, { email: 'new@bar.com', version: 2, disabled_at: undefined }, 'all or nothing');
      t.equal((await admin('PATCH', `/${confirmed}`, 200, { email: 'NEW@bar.com' })).version, 2, 'nothing has changed');
    });

    t.test('when the password changes', async (t) => {
      const token = await tokenOf('foo@bar.com');
      const weak = await admin('PATCH', `/${id}`, 422, { password: 'foo@bar.com' });
      t.match(weak, { code: 'weak_password', errors: [{ code: 'password_is_email' }] });
      t.equal(await statusOf(token), 200);
      await admin('PATCH', `/${id}`, 200, { password: OTHER_PASSWORD });
      t.equal(await statusOf(token), 401, 'all sessions have ended');
      t.equal((await logIn('foo@bar.com')).status, 401);
      t.equal((await logIn('foo@bar.com', OTHER_PASSWORD)).status, 200);
      await admin('PATCH', `/${id}`, 200, { password_digest: BCRYPT });
      t.equal((await logIn('foo@bar.com', 'foobar')).status, 200, 'a digest is exempt from the policy');
      const { errors } = await admin('PATCH', `/${id}`, 422, { password: PASSWORD, password_digest: BCRYPT });
      t.match(errors, [{ field: 'password_digest', code: 'conflicting' }]);
    });

    t.test('when the user is to be disabled', async (t) => {
      const token = await tokenOf('else@bar.com');
      const reply = await documented(t.name, adminRequest('PATCH', `/${id + 1}`, { disabled: true }));
      t.equal(reply.status, 200);
      const { disabled_at, version } = JSON.parse(reply.body);
      t.equal(await statusOf(token), 401, 'at once');
      t.equal((await logIn('else@bar.com')).status, 401);
      const again = await admin('PATCH', `/${id + 1}`, 200, { disabled: true });
      t.match(again, { disabled_at, version }, 'it keeps the time');
      t.equal((await admin('PATCH', `/${id + 1}`, 200, { disabled: false })).disabled_at, undefined);
      t.equal((await logIn('else@bar.com')).status, 200);
      t.equal(await statusOf(token), 401, 'the session stays ended');
    });

    t.test('when the user has changed meanwhile', async (t) => {
      const { version } = await admin('GET', `/${id}`, 200);
      const change = (email: string) => request(adminRequest('PATCH', `/${id}`, { email, version }));
      const replies = await Promise.all([change('one@bar.com'), change('two@bar.com')]);
      t.same(countStatuses(replies), { 200: 1, 409: 1 });
      const stale = await documented(t.name, adminRequest('PATCH', `/${id}`, { email: 'three@bar.com', version }));
      t.equal(stale.status, 409);
      t.equal(JSON.parse(stale.body).code, 'version_conflict');
    });

    t.test('when a member is unknown', async (t) => {
      t.match((await admin('PATCH', `/${id}`, 400, { role: 'admin' })).errors, [{ field: 'role', code: 'unknown' }]);
      t.equal((await admin('PATCH', `/${id}`, 200, {})).id, id, 'no member changes nothing');
    });

    t.test('when the user is to be deleted', async (t) => {
      const deleted = await create('deleted@bar.com');
      const token = await tokenOf('deleted@bar.com');
      const reply = await documented(t.name, adminRequest('DELETE', `/${deleted}`));
      t.equal(reply.status, 204);
      t.equal(await statusOf(token), 401);
      t.equal((await logIn('deleted@bar.com')).status, 401);
      await admin('GET', `/${deleted}`, 404);
    });
  });

  t.test(`a lockout on ${provider}`, async (t) => {
    const env = { THROTTLE_EMAIL: '2' };
    const { admin, create, documented, logIn } = await startApplication(t, provider, { env });
    const id = await create('foo@bar.com');
    t.equal((await admin('GET', `/${id}`, 200)).locked_until, undefined);
    for (const status of [401, 401, 429]) t.equal((await logIn('foo@bar.com', 'wrong')).status, status);
    t.type((await admin('GET', `/${id}`, 200)).locked_until, 'string');
    t.equal((await documented('when a lockout is to be lifted', adminRequest('DELETE', `/${id}/lockout`))).status, 204);
    t.equal((await admin('GET', `/${id}`, 200)).locked_until, undefined);
    t.equal((await logIn('foo@bar.com')).status, 200);
  });
}
