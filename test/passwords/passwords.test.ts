import { scryptSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import t from 'tap';
import type { StoredDigest } from '#built/database/users.js';
import { matchesAny } from '#built/passwords/formats/digest.js';
import { parseScryptParameters, withScryptParameters } from '#built/passwords/formats/scrypt.js';
import { createPasswords, type Passwords, PasswordTooLong } from '#built/passwords/passwords.js';
import type { Pepper, PepperState } from '#built/passwords/peppers.js';
import { storedDigest } from '../support/stored-digest.js';

const argon2id = createPasswords({ algorithm: 'argon2id' });
const bcrypt = createPasswords({ algorithm: 'bcrypt', cost: 4 });

const isOutdated = (passwords: Passwords, digest: string, password: string) =>
  passwords.upgradeOf(storedDigest(digest), password) !== undefined;

t.test('argon2id as the OWASP cheat sheet has it', async (t) => {
  const { passwordDigest } = await argon2id.hash('foobar');
  t.match(passwordDigest, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
  t.not(passwordDigest, (await argon2id.hash('foobar')).passwordDigest, 'salted');
});

t.test('bcrypt on request', async (t) => {
  t.match((await bcrypt.hash('foobar')).passwordDigest, /^\$2b\$04\$/);
  t.ok((await bcrypt.hash('p'.repeat(73)).catch((error) => error)) instanceof PasswordTooLong);
  t.ok(await bcrypt.verify('p'.repeat(72), await bcrypt.hash('p'.repeat(72))));
});

const named = (text: string) => ({ text, name: text });
const PEPPERS = { current: named('salt and pepper') };

type Vector = { origin: string; password: string; digest: string; pepper?: string; also?: string[] };

/** Digests that other implementations made; `also` are other spellings of the password that the origin accepts. */
const vectors: Vector[] = (await readFile(new URL('digests.jsonl', import.meta.url), 'utf8'))
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line));

t.test('digests that other software made', async (t) => {
  for (const { origin, password, digest, pepper = '', also = [] } of vectors) {
    const name = `${origin}: ${digest}`;
    const passwords = createPasswords({ algorithm: 'bcrypt', cost: 4, peppers: { current: named(pepper) } });
    for (const spelling of [password, ...also]) t.ok(await passwords.verify(spelling, storedDigest(digest)), name);
    t.notOk(await passwords.verify(`x${password}`, storedDigest(digest)), name);
    t.type(passwords.formOf(digest)?.format, 'string', name);
  }
});

t.test('every format, whatever is configured', async (t) => {
  const seen = new Set<string>();
  for (const { origin, password, digest } of vectors.filter(({ pepper }) => !pepper)) {
    const { format = '' } = argon2id.formOf(digest) ?? {};
    if (seen.has(format)) continue;
    seen.add(format);
    t.ok(await argon2id.verify(password, storedDigest(digest)), origin);
  }
  t.equal(seen.size, 19, [...seen].join(', '));
});

t.test('a pepper is part of bcrypt, of no other format', async (t) => {
  const peppered = createPasswords({ algorithm: 'bcrypt', cost: 4, peppers: PEPPERS });
  t.ok(await peppered.verify('foobar', await peppered.hash('foobar')));
  t.notOk(await bcrypt.verify('foobar', await peppered.hash('foobar')));
  t.ok(await bcrypt.verify('foobarsalt and pepper', await peppered.hash('foobar')), 'appended, as Devise does');
  t.ok(await peppered.hash('p'.repeat(72)), 'the limit of 72 bytes is the password’s');
  for (const { origin, password, digest } of vectors.filter(({ digest }) => !digest.startsWith('$2'))) {
    t.ok(await peppered.verify(password, storedDigest(digest)), origin);
  }
});

function reads72(digest: string): boolean {
  return /^\$2|^bcrypt\$/.test(digest);
}

t.test('a digest says whether it has the pepper', async (t) => {
  const peppered = createPasswords({ algorithm: 'bcrypt', cost: 4, peppers: PEPPERS });
  t.match(await peppered.hash('foobar'), { peppered: true });
  for (const passwords of [bcrypt, argon2id, createPasswords({ algorithm: 'argon2id', peppers: PEPPERS })]) {
    t.match(await passwords.hash('foobar'), { peppered: false });
  }
  const plain = await bcrypt.hash('foobar');
  for (const later of [peppered, createPasswords({ algorithm: 'argon2id', peppers: PEPPERS })]) {
    t.ok(await later.verify('foobar', plain), 'made before there was a pepper');
    t.notOk(await later.verify('foobar', { ...plain, peppered: true }));
    t.notOk(await later.verify('foobar', { ...plain, peppered: null }), 'unknown: the pepper is read');
    t.ok(await later.verify('foobar', await peppered.hash('foobar')));
    t.ok(await later.verify('foobar', { ...(await argon2id.hash('foobar')), peppered: true }), 'only bcrypt has one');
  }
});

t.test('a digest names its pepper', async (t) => {
  const [old, now, lost] = [named('old'), named('now'), named('lost')];
  const cost4 = { algorithm: 'bcrypt', cost: 4 } as const;
  const rotating = createPasswords({ ...cost4, peppers: { current: now, previous: old } });
  const settled = createPasswords({ ...cost4, peppers: { current: now } });
  const dropping = createPasswords({ ...cost4, peppers: { previous: old } });
  const argon2 = createPasswords({ algorithm: 'argon2id', peppers: { current: now, previous: old } });
  const of = (pepper: Pepper) => createPasswords({ ...cost4, peppers: { current: pepper } }).hash('foobar');
  const [made, fresh, foreign] = [await of(old), await of(now), await of(lost)];
  t.match(
    [made, fresh],
    [
      { peppered: true, pepper: 'old' },
      { peppered: true, pepper: 'now' },
    ],
  );
  const unnamed = (digest: StoredDigest) => ({ ...digest, pepper: null });
  const imported = (digest: StoredDigest) => ({ ...digest, peppered: null });

  type Case = [name: string, Passwords, StoredDigest, PepperState | undefined, matches: boolean];
  const cases: Case[] = [
    ['previous', rotating, made, 'previous', true],
    ['current', rotating, fresh, 'current', true],
    ['lost', rotating, foreign, 'other', false],
    ['unnamed, previous', rotating, unnamed(made), 'unnamed', true],
    ['unnamed, current', rotating, unnamed(fresh), 'unnamed', true],
    ['imported, previous', rotating, imported(made), 'unnamed', true],
    ['none', rotating, await bcrypt.hash('foobar'), undefined, true],
    ['wrongly named', rotating, { ...made, pepper: 'now' }, 'current', false],
    ['the name of another database', rotating, { ...made, pepper: 'unknown' }, 'other', true],
    ['previous, after the rotation', settled, made, 'other', false],
    ['unnamed, after the rotation', settled, unnamed(fresh), 'unnamed', true],
    ['unnamed, too late', settled, unnamed(made), 'unnamed', false],
    ['previous, no current', dropping, made, 'previous', true],
    ['unnamed, no current', dropping, unnamed(made), 'unnamed', true],
    ['unnamed without a pepper', bcrypt, storedDigest((await bcrypt.hash('foobar')).passwordDigest), undefined, true],
    ['previous, for argon2id', argon2, made, 'previous', true],
    ['another format', argon2, { ...(await argon2id.hash('foobar')), peppered: true }, undefined, true],
  ];
  for (const [name, passwords, digest, state, matches] of cases) {
    t.equal(passwords.pepperOf(digest), state, name);
    t.equal(await passwords.verify('foobar', digest), matches, name);
    t.notOk(await passwords.verify('barfoo', digest), name);
  }

  const upgraded = async (passwords: Passwords, digest: StoredDigest, password = 'foobar') => {
    const upgrade = await passwords.upgradeOf(digest, password)?.();
    return upgrade && { ...upgrade, isRehashed: upgrade.passwordDigest !== digest.passwordDigest };
  };
  const byNow = { peppered: true, pepper: 'now' };
  t.match(await upgraded(rotating, made), { ...byNow, isRehashed: true });
  t.match(await upgraded(rotating, unnamed(fresh)), { ...byNow, isRehashed: true }, 'either has matched');
  t.match(await upgraded(settled, unnamed(fresh)), { ...byNow, isRehashed: false }, 'only the current one has matched');
  t.match(await upgraded(settled, imported(fresh)), { ...byNow, isRehashed: false });
  t.match(await upgraded(rotating, made, 'p'.repeat(72)), { ...byNow, isRehashed: false }, 'it read no pepper');
  t.match(await upgraded(dropping, made), { peppered: false, pepper: null, isRehashed: true });
  t.match(await upgraded(dropping, made, 'p'.repeat(72)), { peppered: false, pepper: null, isRehashed: false });
  t.match(await upgraded(argon2, made), { peppered: false, pepper: null, isRehashed: true });
  t.equal(await upgraded(rotating, fresh), undefined);
  t.equal(await upgraded(rotating, await bcrypt.hash('foobar')), undefined, 'digests without a pepper stay');

  settled.rotatePeppers({ current: lost, previous: now });
  t.ok(await settled.verify('foobar', fresh));
  t.match(await upgraded(settled, fresh), { peppered: true, pepper: 'lost', isRehashed: true });
});

t.test('all peppers are tried, whichever matches: the time does not tell', async (t) => {
  for (const right of ['now', 'old', 'none']) {
    const tried: string[] = [];
    const verify = async (_password: string, pepper: string) => tried.push(pepper) > 0 && pepper === right;
    t.equal(await matchesAny({ verify }, 'foobar', ['now', 'old']), right !== 'none');
    t.same(tried, ['now', 'old']);
  }
});

t.test('bytes that bcrypt does not read', async (t) => {
  const cut = 'p'.repeat(72);
  for (const { origin, digest } of vectors.filter(({ password }) => password === `${cut}1`)) {
    t.equal(await bcrypt.verify(cut, storedDigest(digest)), reads72(digest), origin);
    t.equal(await bcrypt.verify(`${cut}2`, storedDigest(digest)), reads72(digest), origin);
    t.notOk(await bcrypt.verify(cut.slice(1), storedDigest(digest)), origin);
  }
});

t.test('a digest from elsewhere is outdated; one of the current form is not', async (t) => {
  for (const passwords of [argon2id, bcrypt]) {
    const { passwordDigest } = await passwords.hash('foobar');
    t.notOk(isOutdated(passwords, passwordDigest, 'foobar'));
    t.match(passwords.formOf(passwordDigest), { current: true });
    const other = passwords === bcrypt ? argon2id : bcrypt;
    t.ok(isOutdated(other, passwordDigest, 'foobar'));
  }
  const costly = createPasswords({ algorithm: 'bcrypt', cost: 5 });
  t.ok(isOutdated(costly, (await bcrypt.hash('foobar')).passwordDigest, 'foobar'), 'cost');
  for (const { origin, password, digest, also } of vectors) {
    const mayBeLonger = reads72(digest) && Buffer.byteLength(password) >= 72;
    t.equal(isOutdated(argon2id, digest, password), !also && !mayBeLonger, origin);
    t.equal(isOutdated(bcrypt, digest, password), !also && !mayBeLonger && !digest.startsWith('$2'), origin);
  }
  t.notOk(isOutdated(argon2id, 'foobar', 'foobar'), 'an unknown format');
});

t.test('a password of 72 bytes may be the beginning of the right one', async (t) => {
  const peppered = createPasswords({ algorithm: 'argon2id', peppers: PEPPERS });
  const { passwordDigest: digest } = await bcrypt.hash('foobar');
  const sha256 = `bcrypt_sha256$${digest}`;
  for (const [password, expected] of [
    ['p'.repeat(71), true],
    ['p'.repeat(72), false],
    ['p'.repeat(73), false],
    ['€'.repeat(23), true],
    ['€'.repeat(24), false],
  ] as const) {
    const name = `${password.length} of ${password[0]}`;
    t.equal(isOutdated(argon2id, digest, password), expected, name);
    t.equal(isOutdated(argon2id, `bcrypt$${digest}`, password), expected, `${name}, Django`);
    const upgrade = peppered.upgradeOf({ ...storedDigest(digest), peppered: false }, password);
    t.equal(upgrade !== undefined, expected, `${name}, the pepper is not counted`);
    t.equal(isOutdated(argon2id, sha256, password), true, `${name}, hashed first`);
  }
});

t.test('parameters out of bounds are refused before any work is done', async (t) => {
  const salt = 'c29tZXNhbHRzb21lc2FsdA';
  const key = 'A'.repeat(43);
  const bounds: [within: string, beyond: string][] = [
    [`$2b$16$${'a'.repeat(53)}`, `$2b$17$${'a'.repeat(53)}`],
    [`$2b$04$${'a'.repeat(53)}`, `$2b$03$${'a'.repeat(53)}`],
    [`$argon2id$v=19$m=262144,t=4,p=1$${salt}$${key}`, `$argon2id$v=19$m=262145,t=1,p=1$${salt}$${key}`],
    [`$argon2id$v=19$m=1024,t=1024,p=1$${salt}$${key}`, `$argon2id$v=19$m=1024,t=1025,p=1$${salt}$${key}`],
    [`$argon2id$v=19$m=1024,t=1,p=64$${salt}$${key}`, `$argon2id$v=19$m=1024,t=1,p=65$${salt}$${key}`],
    [`pbkdf2_sha256$3000000$salt$${key}=`, `pbkdf2_sha256$3000001$salt$${key}=`],
    [`pbkdf2_sha256$1$salt$${key}=`, `pbkdf2_sha256$0$salt$${key}=`],
    [`pbkdf2:sha256:3000000$salt$${'0'.repeat(64)}`, `pbkdf2:sha256:99999999$salt$${'0'.repeat(64)}`],
    [`$pbkdf2-sha256$3000000$${salt}$${key}`, `$pbkdf2-sha256$3000001$${salt}$${key}`],
    [`$scrypt$ln=18,r=8,p=2$${salt}$${key}`, `$scrypt$ln=19,r=8,p=1$${salt}$${key}`],
    [`$scrypt$ln=18,r=8,p=1$${salt}$${key}`, `$scrypt$ln=18,r=8,p=3$${salt}$${key}`],
    [`scrypt:262144:8:1$salt$${'0'.repeat(128)}`, `scrypt:262143:8:1$salt$${'0'.repeat(128)}`],
    [`scrypt$32768$salt$1$1$${'A'.repeat(86)}==`, `scrypt$65536$salt$1$1$${'A'.repeat(86)}==`],
    [`scrypt:65536:2:1$salt$${'0'.repeat(128)}`, `scrypt:65536:1:1$salt$${'0'.repeat(128)}`],
    [`$scrypt$ln=15,r=1,p=1$${salt}$${key}`, `$scrypt$ln=16,r=1,p=1$${salt}$${key}`],
    [
      `$scrypt-hex$ln=15,r=1,p=1$${'0'.repeat(32)}$${'0'.repeat(64)}`,
      `$scrypt-hex$ln=16,r=1,p=1$${'0'.repeat(32)}$${'0'.repeat(64)}`,
    ],
    [`scrypt$2$salt$1$1$${'A'.repeat(86)}==`, `scrypt$1$salt$1$1$${'A'.repeat(86)}==`],
    [`scrypt$2$salt$1$1$${'A'.repeat(86)}==`, `scrypt$2$salt$0$1$${'A'.repeat(86)}==`],
  ];
  for (const [within, beyond] of bounds) {
    t.ok(argon2id.formOf(within), within);
    t.notOk(argon2id.formOf(beyond), beyond);
  }
  const costly = createPasswords({ algorithm: 'bcrypt', cost: 17 });
  t.ok(costly.formOf(`$2b$17$${'a'.repeat(53)}`), 'the configured cost is always within');
});

t.test('parameters of argon2 in any order, each once', async (t) => {
  const rest = 'c29tZXNhbHRzb21lc2FsdA$+0QTc6ulPLwzo01i6C7NpEBqrmtGZWi00mricLEHH60';
  for (const parameters of ['m=512,t=2,p=1', 'm=512,p=1,t=2', 't=2,p=1,m=512', 'p=1,m=512,t=2']) {
    const digest = `$argon2id$v=19$${parameters}$${rest}`;
    t.ok(await argon2id.verify('foobar', storedDigest(digest)), parameters);
    t.ok(await argon2id.verify('foobar', storedDigest(`argon2${digest}`)), `${parameters}, Django`);
    t.match(argon2id.formOf(digest), { parameters: 'm=512,t=2,p=1' });
  }
  for (const parameters of ['m=512,t=2', 'm=512,t=2,t=2', 'm=512,t=2,p=1,t=2', 'm=512,t=2,p=1,', 'm=512,t=2,x=1']) {
    t.notOk(argon2id.formOf(`$argon2id$v=19$${parameters}$${rest}`), parameters);
  }
  for (const beyond of ['p=1,t=1,m=262145', 't=1025,m=1024,p=1', 'p=65,t=1,m=1024']) {
    t.notOk(argon2id.formOf(`$argon2id$v=19$${beyond}$${rest}`), beyond);
  }
});

t.test('SALT:KEY of Node.js, with the parameters that the import is told', async (t) => {
  const salt = '00112233445566778899aabbccddeeff';
  const password = 'café ①';
  for (const [text, keyBytes] of [
    ['N=1024,r=8,p=1', 64],
    ['N=16,r=1,p=2', 32],
  ] as const) {
    const cost = parseScryptParameters(text);
    if (!cost) return t.fail(text);
    const key = scryptSync(password, salt, keyBytes, cost).toString('hex');
    const stored = withScryptParameters(`${salt}:${key}`, cost);
    t.match(argon2id.formOf(stored), { format: 'node scrypt', parameters: text, current: false });
    t.ok(await argon2id.verify(password, storedDigest(stored)), text);
    t.notOk(await argon2id.verify(password.normalize('NFKC'), storedDigest(stored)), 'Node.js does not normalize');
    t.ok(isOutdated(argon2id, stored, password));
    t.equal(stored.replace(/^\$scrypt-hex\$[^$]*\$(\w+)\$/, '$1:'), `${salt}:${key}`, 'can go back');
    t.equal(withScryptParameters(stored, cost), stored, 'once');
  }
  const bad = [
    '',
    'N=1000,r=8,p=1',
    'N=65536,r=1,p=1',
    'N=1048576,r=8,p=1',
    'N=16,r=0,p=1',
    'r=8,p=1',
    'N=1e3,r=8,p=1',
  ];
  for (const text of bad) t.equal(parseScryptParameters(text), undefined, text);
  const { passwordDigest: bcryptDigest } = await bcrypt.hash('foobar');
  t.equal(withScryptParameters(bcryptDigest, { N: 16, r: 1, p: 1 }), bcryptDigest);
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
    `scrypt$65536$salt$1$1$${'A'.repeat(86)}==`,
  ];
  for (const digest of [undefined, ...digests.map(storedDigest)]) {
    t.equal(await argon2id.verify('foobar', digest), false, digest?.passwordDigest ?? 'none');
    t.equal(await bcrypt.verify('foobar', digest), false, digest?.passwordDigest ?? 'none');
  }
});

t.test('leaves the event loop free', async (t) => {
  for (const passwords of [argon2id, bcrypt]) {
    let verified = false;
    const verifying = passwords.verify('foobar', undefined).then(() => {
      verified = true;
    });
    // What a thread has done arrives in the next turn at the earliest, and these are all in this one.
    for (let step = 0; step < 1_000; step += 1) await undefined;
    t.notOk(verified);
    await verifying;
  }
});
