import t from 'tap';
import { JSON_TYPE } from '../support/send.js';
import { startService } from '../support/service.js';

const path = '/api/v1/sessions';

t.test('JSON that is nested', async (t) => {
  const service = await startService(t, 'sqlite');
  const post = (body: string) => service.request({ method: 'POST', path, headers: JSON_TYPE, body });
  for (const email of ['["\\ud800"]', '{"a":[{"b":"\\udc00"}]}', '{"\\ud800":1}']) {
    const { status, body } = await post(`{"email":${email},"password":"foobar"}`);
    t.equal(status, 400);
    t.same(JSON.parse(body).errors, [{ field: 'email', message: 'must be valid Unicode', code: 'malformed' }]);
  }
  const deep = '['.repeat(8_000) + ']'.repeat(8_000);
  t.match(await post(`{"email":"a@b","password":${deep}}`), { status: 400, body: /"field":"password"/ });
});
