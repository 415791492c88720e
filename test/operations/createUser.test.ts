import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { MAX_ID } from '#built/database/users.js';
import { adminRequest, countStatuses, PASSWORD, startApplication } from '../support/application.js';

const DJANGO = 'pbkdf2_sha256$1000$c2FsdA$GFutj6z8ZQZEA8yFP7RPoKbZ5PYuAyTil3A1OCPvfx0=';
const AT_ONCE = 100;

for (const provider of PROVIDERS) {
  t.test(`Api::V1::Users on ${provider}`, async (t) => {
    const application = await startApplication(t, provider);
    const { admin, request, documented, logIn } = application;

    t.test('when the user is new', async (t) => {
      const reply = await documented(t.name, adminRequest('POST', '', { email: ' Foo@bar.com ', password: PASSWORD }));
      t.equal(reply.status, 201);
      t.equal(reply.headers.location, '/api/v1/users/1');
      t.equal(reply.headers['cache-control'], 'no-store');
      const { created_at, updated_at, ...user } = JSON.parse(reply.body);
      t.same(user, { id: 1, email: 'foo@bar.com', version: 1, digest_format: 'bcrypt' });
      t.equal(created_at, updated_at);
      t.equal((await logIn('foo@bar.com')).status, 200);
    });

    t.test('when another user has the email', async (t) => {
      const reply = await documented(t.name, adminRequest('POST', '', { email: 'FOO@bar.com', password: PASSWORD }));
      t.equal(reply.status, 409);
      t.same(JSON.parse(reply.body), {
        message: 'The email is taken',
        code: 'email_taken',
        errors: [{ field: 'email', message: 'is taken', code: 'taken' }],
      });
    });

    t.test('when the password is weak', async (t) => {
      const reply = await documented(t.name, adminRequest('POST', '', { email: 'weak@bar.com', password: 'password' }));
      t.equal(reply.status, 422);
      const { code, errors } = JSON.parse(reply.body);
      t.equal(code, 'weak_password');
      t.match(errors, [{ field: 'password', code: 'password_too_common' }]);
      t.same(await admin('GET', '?email=weak@bar.com', 200), { users: [] }, 'there is no such user');
    });

    t.test('when the application has the id, and the digest of the password', async (t) => {
      const given = { email: 'django@bar.com', id: 1000, password_digest: DJANGO, email_confirmed: true };
      const user = await admin('POST', '', 201, given);
      t.match(user, { id: 1000, digest_format: 'django pbkdf2-sha256', email_confirmed_at: String });
      t.equal((await admin('POST', '', 409, { email: 'other@bar.com', id: 1000 })).code, 'id_taken');
      t.equal((await admin('POST', '', 409, { email: 'foo@bar.com', id: 1001 })).code, 'email_taken');
    });

    t.test('when there is no password, or the user is disabled', async (t) => {
      const user = await admin('POST', '', 201, { email: 'no-password@bar.com' });
      t.notOk('digest_format' in user);
      t.equal((await logIn('no-password@bar.com', 'anything at all')).status, 401);
      const disabled = await admin('POST', '', 201, { email: 'disabled@bar.com', password: PASSWORD, disabled: true });
      t.type(disabled.disabled_at, 'string');
      t.equal((await logIn('disabled@bar.com')).status, 401);
    });

    t.test('when fields are invalid', async (t) => {
      for (const [body, error] of [
        [{}, { field: 'email', code: 'required' }],
        [{ email: 'no address' }, { field: 'email', code: 'malformed' }],
        [{ email: `${'x'.repeat(251)}@x.y` }, { field: 'email', code: 'too_long' }],
        [
          { email: 'a@b', password: '' },
          { field: 'password', code: 'too_short' },
        ],
        [
          { email: 'a@b', password: 12345678 },
          { field: 'password', code: 'wrong_type' },
        ],
        [
          { email: 'a@b', password: 'x'.repeat(1_025) },
          { field: 'password', code: 'too_long' },
        ],
        [
          { email: 'a@b', id: 0 },
          { field: 'id', code: 'too_small' },
        ],
        [
          { email: 'a@b', id: 2_147_483_648 },
          { field: 'id', code: 'too_large' },
        ],
        [
          { email: 'a@b', disabled: 'yes' },
          { field: 'disabled', code: 'wrong_type' },
        ],
        [
          { email: 'a@b', admin: true },
          { field: 'admin', code: 'unknown' },
        ],
      ] as const) {
        const { code, errors } = await admin('POST', '', 400, body);
        t.equal(code, 'invalid_request');
        t.match(errors, [error], JSON.stringify(error));
      }
      for (const [body, code] of [
        [{ password_digest: 'plain text' }, 'unknown_format'],
        [{ password: PASSWORD, password_digest: DJANGO }, 'conflicting'],
      ] as const) {
        t.match(await admin('POST', '', 422, { email: 'a@b', ...body }), {
          code: 'invalid_request',
          errors: [{ field: 'password_digest', code }],
        });
      }
      t.equal((await admin('GET', '?email=a@b', 200)).users.length, 0);
    });

    t.test('when the body is no JSON object, or too long', async (t) => {
      const { headers, ...post } = adminRequest('POST', '', {});
      t.equal((await request({ ...post, headers: { ...headers, 'content-type': 'text/plain' } })).status, 415);
      t.equal((await request({ ...post, headers, body: `"${'x'.repeat(16_384)}"` })).status, 413);
      t.equal((await request({ ...post, headers, body: '' })).status, 400);
      t.equal((await request({ ...post, headers, body: '[]' })).status, 400);
    });

    t.test('when a hundred ask for one email at once', async (t) => {
      const post = adminRequest('POST', '', { email: 'race@bar.com' });
      const replies = await Promise.all(Array.from({ length: AT_ONCE }, () => request(post)));
      t.same(countStatuses(replies), { 201: 1, 409: AT_ONCE - 1 });
    });

    t.test('when a hundred ask for one id at once', async (t) => {
      const ask = (index: number) => request(adminRequest('POST', '', { email: `id-${index}@bar.com`, id: 2000 }));
      const replies = await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => ask(index)));
      t.same(countStatuses(replies), { 201: 1, 409: AT_ONCE - 1 });
    });

    t.test('when drawn ids meet chosen ones', async (t) => {
      const next = (await admin('POST', '', 201, { email: 'next@bar.com' })).id + 1;
      const chosen = (index: number) => ({ email: `chosen-${index}@bar.com`, id: next + 2 * index });
      const drawn = (index: number) => ({ email: `drawn-${index}@bar.com` });
      const bodies = Array.from({ length: AT_ONCE }, (_, index) => (index % 2 === 0 ? chosen(index) : drawn(index)));
      const replies = await Promise.all(bodies.map((body) => request(adminRequest('POST', '', body))));
      const created = replies.filter(({ status }) => status === 201).map(({ body }) => JSON.parse(body));
      t.equal(new Set(created.map(({ id }) => id)).size, created.length, 'each has an id of its own');
      for (const [index, { status, body }] of replies.entries()) {
        if (index % 2 === 1) t.equal(status, 201, 'a drawn id is drawn again');
        else if (status !== 201) t.match(JSON.parse(body), { code: 'id_taken' });
      }
    });

    t.test('when the largest id was chosen', async (t) => {
      await admin('POST', '', 201, { email: 'largest@bar.com', id: MAX_ID });
      if (provider === 'postgresql') await admin('POST', '', 201, { email: 'after@bar.com' });
      else t.match(await admin('POST', '', 409, { email: 'after@bar.com' }), { code: 'no_id_left' });
      t.equal((await admin('GET', '?email_prefix=after@', 200)).users.length, provider === 'postgresql' ? 1 : 0);
    });
  });
}
