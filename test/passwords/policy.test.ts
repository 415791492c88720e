import { dictionary } from '@zxcvbn-ts/language-common';
import t from 'tap';
import { checkNewPassword } from '#built/passwords/policy.js';

const COMMON = 'must not be one of the most common passwords';

async function codesOf(password: string, { email = 'foo@bar.com', minLength = 8 } = {}) {
  return (await checkNewPassword(password, { email, minLength })).map(({ code }) => code);
}

t.test('an error says what is wrong', async (t) => {
  t.same(await checkNewPassword('foobar', { email: 'foo@bar.com', minLength: 15 }), [
    { field: 'password', message: 'must have at least 15 characters', code: 'password_too_short' },
    { field: 'password', message: COMMON, code: 'password_too_common' },
  ]);
  t.same(await checkNewPassword('jane.doe', { email: 'jane.doe@bar.com', minLength: 8 }), [
    { field: 'password', message: 'must not be the email, or the part before its @', code: 'password_is_email' },
  ]);
});

t.test('the length counts code points', async (t) => {
  t.same(await codesOf('Kq7vTw2'), ['password_too_short']);
  t.same(await codesOf('Kq7vTw2x'), []);
  t.same(await codesOf('🐎'.repeat(7)), ['password_too_short'], 'of two UTF-16 code units each');
  t.same(await codesOf('🐎'.repeat(8)), []);
  t.same(await codesOf('correct horse', { minLength: 14 }), ['password_too_short']);
  t.same(await codesOf('correct horse', { minLength: 13 }), []);
});

t.test('the email is no password', async (t) => {
  for (const email of ['jane.doe@bar.com', ' Jane.Doe@BAR.com ']) {
    for (const password of ['jane.doe@bar.com', 'JANE.DOE@bar.com', 'Jane.Doe']) {
      t.same(await codesOf(password, { email }), ['password_is_email'], `${password} for ${email}`);
    }
    t.same(await codesOf('jane.doe2', { email }), [], 'a part of it may be in the password');
  }
});

t.test('the most common passwords are refused, in any case', async (t) => {
  for (const password of ['password', 'PASSWORD', '12345678', 'Password1', 'qwertyuiop', 'iloveyou']) {
    t.same(await codesOf(password), ['password_too_common'], password);
  }
});

t.test('the list suffices for ASVS 5.0, 6.2.4, and has the most common first', async (t) => {
  const common = dictionary['passwords-common'];
  t.ok(common.filter((password) => password.length >= 8).length >= 3_000);
  t.same(common.slice(0, 3), ['123456', 'password', '12345678']);
  t.same(
    common,
    common.map((password) => password.toLowerCase()),
    'it is compared in lower case',
  );
});
