import { randomUUID } from 'node:crypto';
import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { bearer, claimsOf } from '../support/keys.js';
import { startService } from '../support/service.js';
import { CHEAP, getToken } from '../support/steady-logins.js';

for (const provider of PROVIDERS) {
  t.test(`Api::V1::User::Sessions, one of them, on ${provider}`, async (t) => {
    const service = await startService(t, provider, { env: CHEAP });
    await service.addUser('foo@bar.com', 'foobar');
    await service.addUser('else@bar.com', 'foobar');
    const [current, another] = [await getToken(service.request), await getToken(service.request)];
    const elses = await getToken(service.request, 'else@bar.com');
    const request = (sid: string, token = current) => ({
      method: 'DELETE',
      path: `/api/v1/user/sessions/${sid}`,
      headers: bearer(token),
    });
    const statusOf = async (token: string) =>
      (await service.request({ path: '/api/v1/session', headers: bearer(token) })).status;

    t.test('when it is one of the user’s', async (t) => {
      const reply = await service.documented(t.name, request(claimsOf(another).sid));
      t.equal(reply.status, 204);
      t.equal(await statusOf(another), 401);
      t.equal(await statusOf(current), 200);
    });

    t.test('when it is not', async (t) => {
      const reply = await service.request(request(claimsOf(elses).sid));
      t.equal(reply.status, 404);
      t.same(JSON.parse(reply.body), { message: 'Session not found', code: 'session_not_found' });
      t.equal(await statusOf(elses), 200);
      for (const sid of [randomUUID(), claimsOf(another).sid])
        t.equal((await service.request(request(sid))).status, 404);
    });

    t.test('when the id is malformed', async (t) => {
      for (const sid of ['1', randomUUID().toUpperCase(), `${randomUUID()}0`, '%20', 'a%2fb', 'a%0ab', '%0d']) {
        const reply = await service.request(request(sid));
        t.equal(reply.status, 400, sid);
        t.same(JSON.parse(reply.body).errors, [
          { field: 'sid', message: 'must be a UUID in lower case', code: 'malformed' },
        ]);
      }
    });

    t.test('when it is the current one', async (t) => {
      t.equal((await service.request(request(claimsOf(current).sid))).status, 204);
      t.equal(await statusOf(current), 401);
      t.equal((await service.request(request(claimsOf(current).sid))).status, 401, 'the token is not good any more');
    });
  });
}
