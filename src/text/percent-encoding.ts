/** A value that is not percent-encoded UTF-8. */
export const MALFORMED: unique symbol = Symbol('malformed');

type Value = string | typeof MALFORMED;
type Fields = { [name: string]: Value | Value[] };

/** Whether each `%` begins an octet, and the octets are UTF-8 (RFC 3986, section 2.1). */
export function isPercentEncoded(text: string): boolean {
  return decode(text) !== MALFORMED;
}

/**
 * Parses `application/x-www-form-urlencoded` (URL Standard, section 5.1), strictly: a malformed value is MALFORMED, and so is
 * the value of a malformed name, which stays encoded. A repeated field has a list of values.
 */
export function decodeForm(text: string): Fields {
  // Without a prototype: `__proto__` is a field like any other.
  const fields: Fields = Object.create(null);
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const end = pair.includes('=') ? pair.indexOf('=') : pair.length;
    const rawName = pair.slice(0, end);
    const name = decode(rawName);
    const key = name === MALFORMED ? rawName : name;
    const value = name === MALFORMED ? MALFORMED : decode(pair.slice(end + 1));
    const before = fields[key];
    if (before === undefined) fields[key] = value;
    else if (Array.isArray(before)) before.push(value);
    else fields[key] = [before, value];
  }
  return fields;
}

function decode(text: string): Value {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return MALFORMED;
  }
}
