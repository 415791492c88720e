import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { checkReply } from '../support/check-reply.js';
import { parseReplies } from '../support/parse-replies.js';
import { startService } from '../support/service.js';

const body = 'email=foo%40bar.com&password=foobar';
const type = 'Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n';
const length = `Content-Length: ${body.length}\r\n\r\n${body}`;
const chunk = `\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
const start = 'POST /api/v1/sessions HTTP/1.1\r\n';
const start10 = start.replace('1.1', '1.0');

t.test('what a proxy may read otherwise (RFC 9112)', async (t) => {
  const service = await startService(t, 'sqlite');
  await service.addUser('foo@bar.com', 'foobar');
  const send = async (bytes: string) => {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    socket.write(bytes);
    return parseReplies(await text(socket));
  };

  const faulty: [what: string, bytes: string][] = [
    ['no Host', `${start}${type}${length}`],
    ['two Host', `${start}Host: x\r\nHOST: y\r\n${type}${length}`],
    ['the same Host twice', `${start}Host: x\r\nHost: x\r\n${type}${length}`],
    ['two Host in HTTP/1.0', `${start10}Host: x\r\nHost: y\r\n${type}${length}`],
    ['a space in Host', `${start}Host: x y\r\n${type}${length}`],
    ['a list in Host', `${start}Host: x, y\r\n${type}${length}`],
    ['a user in Host', `${start}Host: x@y\r\n${type}${length}`],
    ['a path in Host', `${start}Host: x/y\r\n${type}${length}`],
    ['a port in Host that is none', `${start}Host: x:y\r\n${type}${length}`],
    ['bytes in Host that are not ASCII', `${start}Host: ä\r\n${type}${length}`],
    ['an invalid Host in HTTP/1.0', `${start10}Host: x y\r\n${type}${length}`],
    ['chunked in HTTP/1.0', `${start10}Host: x\r\n${type}Transfer-Encoding: chunked\r\n${chunk}`],
    ['gzip, chunked', `${start}Host: x\r\n${type}Transfer-Encoding: gzip, chunked\r\n${chunk}`],
    ['chunked twice', `${start}Host: x\r\n${type}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n${chunk}`],
  ];
  for (const [what, bytes] of faulty) {
    const replies = await send(bytes);
    t.same(
      replies.map(({ status }) => status),
      [400],
      what,
    );
    t.same(replies[0] && checkReply({ method: 'POST', path: '/' }, replies[0], { outside: true }), []);
  }

  const valid: [what: string, bytes: string][] = [
    ['an empty Host', `${start}Host:\r\n${type}${length}`],
    ['a name that ends in a number in Host', `${start}Host: web.1:8080\r\n${type}${length}`],
    ['an empty port in Host', `${start}Host: x:\r\n${type}${length}`],
    ['IPv6 in Host', `${start}Host: [::1]:3000\r\n${type}${length}`],
    ['an underscore in Host', `${start}Host: my_service\r\n${type}${length}`],
    ['no Host in HTTP/1.0', `${start10}${type}${length}`],
    ['chunked', `${start}Host: x\r\n${type}Transfer-Encoding: Chunked\r\n${chunk}`],
  ];
  for (const [what, bytes] of valid) t.equal((await send(bytes))[0]?.status, 200, what);

  const [reply] = await send(`${start}Host: x\r\n${'a:\r\n'.repeat(1_001)}${type}${length}`);
  t.equal(reply?.status, 431, 'more than a thousand fields');
  t.same(reply && checkReply({ method: 'POST', path: '/' }, reply, { outside: true }), []);
});
