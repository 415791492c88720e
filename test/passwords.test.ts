import t from 'tap';
import { createPasswords, PasswordTooLong } from '#built/passwords.js';

const argon2id = createPasswords({ algorithm: 'argon2id' });
const bcrypt = createPasswords({ algorithm: 'bcrypt', cost: 4 });

t.test('argon2id as the OWASP cheat sheet has it', async (t) => {
  const digest = await argon2id.hash('foobar');
  t.match(digest, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
  t.not(digest, await argon2id.hash('foobar'), 'salted');
});

t.test('bcrypt on request', async (t) => {
  t.match(await bcrypt.hash('foobar'), /^\$2b\$04\$/);
  t.ok((await bcrypt.hash('p'.repeat(73)).catch((error) => error)) instanceof PasswordTooLong);
  t.ok(await bcrypt.verify('p'.repeat(72), await bcrypt.hash('p'.repeat(72))));
});

// Made from "foobar" with other software: libxcrypt's crypt(3), and the argon2 command of the reference implementation.
const known: [name: string, digest: string][] = [
  ['$2a$', '$2a$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC'],
  ['$2b$', '$2b$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC'],
  ['$2y$', '$2y$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC'],
  ['$argon2i$', '$argon2i$v=19$m=4096,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$paf948NPGZwgoSerFW+G29XzvQia/JlBbOI+cQA1MM8'],
  ['$argon2d$', '$argon2d$v=19$m=4096,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$/FuODKHKIX9geRLoeEnygHwk5DNOWJCIw7X3g8wwUww'],
  ['$argon2id$', '$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$6LZnQ7KHj47suLbllpyRgg9lA2FGjcmaL0psDgAJRmE'],
  ['two lanes', '$argon2id$v=19$m=1024,t=1,p=2$c29tZXNhbHQ$HMSl/YEaqHv7I6D90RWRxg'],
];

t.test('every known format, whatever is configured', async (t) => {
  const digests = [
    ...known,
    ['bcrypt', await bcrypt.hash('foobar')],
    ['argon2id', await argon2id.hash('foobar')],
  ] as const;
  for (const [name, digest] of digests) {
    for (const passwords of [argon2id, bcrypt]) {
      t.ok(await passwords.verify('foobar', digest), name);
      t.notOk(await passwords.verify('Foobar', digest), name);
    }
  }
});

t.test('a digest that nobody’s password made', async (t) => {
  const digests = [
    '',
    'foobar',
    '$2b$',
    '$2b$04$short',
    '$argon2id$v=19$broken',
    '$1$md5$x',
    '$2x$04$'.padEnd(60, 'a'),
  ];
  for (const digest of [undefined, ...digests]) {
    t.equal(await argon2id.verify('foobar', digest), false, String(digest));
    t.equal(await bcrypt.verify('foobar', digest), false, String(digest));
  }
});

t.test('leaves the event loop free', async (t) => {
  let turns = 0;
  const counting = setInterval(() => (turns += 1), 1);
  await Promise.all(Array.from({ length: 20 }, () => argon2id.verify('foobar', undefined)));
  clearInterval(counting);
  t.ok(turns > 10, `${turns} turns while 20 passwords were verified`);
});
