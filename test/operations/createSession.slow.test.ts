import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { startService, UNTHROTTLED } from '../support/service.js';
import { CHEAP, loginRequest } from '../support/steady-logins.js';

/** As many connections as wait for Node.js to accept them: Linux may reset more. */
const AT_ONCE = 500;

for (const provider of PROVIDERS) {
  t.test(`answers ${AT_ONCE} logins at once on ${provider}`, async (t) => {
    const env = { ...UNTHROTTLED, HASH_WAIT_MAX_MS: '60000', ...CHEAP };
    // The clients are on the service's own event loop, and hold it up: no timeout may end a request.
    const timeouts = { loginTimeout: 600_000, requestTimeout: 600_000 };
    const service = await startService(t, provider, { env, ...timeouts });
    await service.addUser('foo@bar.com', 'foobar');
    const replies = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, index) =>
        service.request(loginRequest('foobar', index % 2 ? 'foo@bar.com' : 'nobody@bar.com')),
      ),
    );
    t.equal(replies.filter(({ status }) => status === 200).length, AT_ONCE / 2);
    t.equal(replies.filter(({ status }) => status === 401).length, AT_ONCE / 2);
  });
}
