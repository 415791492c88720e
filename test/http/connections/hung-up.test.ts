import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { createPasswords } from '#built/passwords/passwords.js';
import { FORM } from '../../support/send.js';
import { startService } from '../../support/service.js';

const guess = 'email=foo%40bar.com&password=wrong';
const bytes = `POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: ${FORM['content-type']}\r\nContent-Length: ${guess.length}\r\n\r\n${guess}`;

for (const end of ['destroy', 'resetAndDestroy'] as const) {
  t.test(`guesses of a client that hangs up by ${end}`, async (t) => {
    const events = new EventEmitter();
    let verified = 0;
    const bcrypt = createPasswords({ algorithm: 'bcrypt', cost: 4 });
    const passwords = {
      ...bcrypt,
      async verify(...details: Parameters<typeof bcrypt.verify>) {
        verified += 1;
        events.emit('verify');
        await once(events, 'go on');
        return bcrypt.verify(...details);
      },
    };
    const lines: { msg: string; operationId?: string; ip?: string; outcome?: string; milliseconds?: number }[] = [];
    const logTo = {
      write(line: string) {
        lines.push(JSON.parse(line));
        events.emit('line');
      },
    };
    const service = await startService(t, 'sqlite', { env: { THROTTLE_ADDRESS: '1' }, passwords, logTo });
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1').on('error', () => {});
    const begun = once(events, 'verify');
    socket.write(bytes.repeat(8));
    await begun;
    socket[end]();
    const hungUp = () => lines.filter(({ msg }) => msg === 'hung up');
    while (hungUp().length < 4) await once(events, 'line');
    events.emit('go on');
    t.equal(verified, 1, 'one is hashed');
    for (const line of hungUp()) {
      t.match(line, { operationId: 'createSession', ip: '127.0.0.1', outcome: 'client_gone', milliseconds: Number });
    }
    // Waits for the failure to be counted: one is in flight at most.
    const reply = await service.request({
      method: 'POST',
      path: '/api/v1/sessions',
      headers: FORM,
      body: 'email=other%40bar.com&password=x',
    });
    t.equal(reply.status, 429, 'and counted under the address');
    t.equal(hungUp().length, 4);
  });
}
