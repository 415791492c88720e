import { randomUUID } from 'node:crypto';
import t from 'tap';
import { drawRefreshKeys, formatRefreshToken, parseRefreshToken } from '#built/sessions/refresh-token.js';

const keys = drawRefreshKeys();
const refreshToken = { sid: randomUUID(), generation: 7, secret: keys.secret };
const text = formatRefreshToken(refreshToken, keys.key);

t.test('a refresh token is read as it was made', async (t) => {
  t.match(text, /^rt_[\w-]+$/);
  const parsed = parseRefreshToken(text);
  t.match(parsed, refreshToken);
  t.equal(parsed?.isGenuine(keys), true);
  t.equal(formatRefreshToken(refreshToken, keys.key), text, 'it is made again as it was');
});

t.test('another text is no refresh token', async (t) => {
  for (const other of ['', 'rt_', text.slice(3), text.slice(0, -2), `${text}AAAA`, `xt_${text.slice(3)}`, '☃'])
    t.equal(parseRefreshToken(other), undefined, other);
});

t.test('each changed byte makes it no longer genuine', async (t) => {
  const bytes = Buffer.from(text.slice(3), 'base64url');
  for (const place of bytes.keys()) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8((bytes[place] ?? 0) ^ 1, place);
    t.equal(parseRefreshToken(`rt_${changed.toString('base64url')}`)?.isGenuine(keys), false, `byte ${place}`);
  }
});

t.test('neither the key nor the hash alone makes one', async (t) => {
  const { secret } = drawRefreshKeys();
  const bySecret = formatRefreshToken({ ...refreshToken, secret }, keys.key);
  t.equal(
    parseRefreshToken(bySecret)?.isGenuine(keys),
    false,
    'of a dump of the database: key and hash, but no secret',
  );
  const byKey = formatRefreshToken(refreshToken, drawRefreshKeys().key);
  t.equal(parseRefreshToken(byKey)?.isGenuine(keys), false, 'of an earlier token: the secret, but no key');
});
