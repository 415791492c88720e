import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { adminRequest, startApplication } from '../support/application.js';

type Listed = { users: { id: number; email: string }[]; next?: string };

for (const provider of PROVIDERS) {
  t.test(`Api::V1::Users, listed, on ${provider}`, async (t) => {
    const { admin, documented } = await startApplication(t, provider);
    const emails = ['b@x', 'A@x', 'a_b@x', 'aéz@x', 'ab%@x', 'abc@x', 'a~c@x', 'b\u{10ffff}@x'];
    for (const [index, email] of emails.entries()) await admin('POST', '', 201, { email, disabled: index % 3 === 2 });
    const normal = emails.map((email) => email.toLowerCase());

    /** All pages of a list. */
    async function all(query: { [name: string]: string }, limit: number): Promise<string[]> {
      const found: string[] = [];
      let after: { after?: string } = {};
      for (;;) {
        const parameters = new URLSearchParams({ ...query, ...after, limit: String(limit) });
        const { users, next }: Listed = await admin('GET', `?${parameters}`, 200);
        found.push(...users.map(({ email }) => email));
        if (next === undefined) return found;
        t.equal(users.length, limit, 'a page that is not the last one is full');
        after = { after: next };
      }
    }

    t.test('when there are more than a page', async (t) => {
      const reply = await documented(t.name, adminRequest('GET', '?limit=1'));
      t.equal(reply.status, 200);
      t.match(JSON.parse(reply.body), { users: [{ id: 1, email: 'b@x' }], next: '1' });
      for (const limit of [1, 2, 3, 8, 1000]) t.same(await all({}, limit), normal, `in pages of ${limit}`);
    });

    t.test('when they are disabled', async (t) => {
      const disabled = normal.filter((_, index) => index % 3 === 2);
      for (const limit of [1, 2, 1000]) {
        t.same(await all({ disabled: 'true' }, limit), disabled);
        t.same(
          await all({ disabled: 'false' }, limit),
          normal.filter((email) => !disabled.includes(email)),
        );
      }
    });

    t.test('when their email begins so', async (t) => {
      // In the order of code points, on both databases.
      const begin = (prefix: string) => normal.filter((email) => email.startsWith(prefix)).sort();
      for (const prefix of ['a', 'A', 'ab', 'ab%', 'a_', 'a~', 'aé', 'b\u{10ffff}', 'c'])
        for (const limit of [1, 2, 1000])
          t.same(await all({ email_prefix: prefix }, limit), begin(prefix.toLowerCase()), `${prefix}, ${limit}`);
      t.same(await all({ email_prefix: 'a', disabled: 'true' }, 1), ['a_b@x', 'abc@x']);
    });

    t.test('when one has the email', async (t) => {
      const { users, next }: Listed = await admin('GET', '?email=A@X', 200);
      t.match(users, [{ email: 'a@x' }]);
      t.equal(next, undefined);
      t.same(await admin('GET', '?email=a@x&disabled=true', 200), { users: [] });
      t.same(await admin('GET', '?email=a@x&email_prefix=b', 200), { users: [] });
      t.same(await admin('GET', '?email=nobody@x', 200), { users: [] });
    });

    t.test('when parameters are invalid', async (t) => {
      for (const [query, field, code] of [
        ['limit=0', 'limit', 'too_small'],
        ['limit=1001', 'limit', 'too_large'],
        ['limit=x', 'limit', 'wrong_type'],
        ['disabled=perhaps', 'disabled', 'wrong_type'],
        ['email=x', 'email', 'malformed'],
        ['email_prefix=', 'email_prefix', 'too_short'],
        ['email_prefixx=a', 'email_prefixx', 'unknown'],
      ] as const) {
        const { errors } = await admin('GET', `?${query}`, 400);
        t.match(errors, [{ field, code }], query);
      }
      for (const after of ['x', '2147483648'])
        t.match((await admin('GET', `?after=${after}`, 422)).errors, [{ field: 'after', code: 'malformed' }], after);
    });
  });
}
