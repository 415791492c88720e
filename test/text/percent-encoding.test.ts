import t from 'tap';
import { decodeForm, MALFORMED } from '#built/text/percent-encoding.js';

t.test('a form', async (t) => {
  const fields = (text: string) => ({ ...decodeForm(text) });
  t.same(fields('a=b+c&d=%C3%A4&e&=f&&g=h=i'), { a: 'b c', d: 'ä', e: '', '': 'f', g: 'h=i' });
  t.same(fields('a=1&a=2&a=3'), { a: ['1', '2', '3'] });
  t.same(fields('a=%ff&b=100%&%zz=c'), { a: MALFORMED, b: MALFORMED, '%zz': MALFORMED });
  t.equal(Object.getOwnPropertyDescriptor(decodeForm('__proto__=a'), '__proto__')?.value, 'a');
});
