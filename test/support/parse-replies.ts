import type { Reply } from './send.js';

/** Reads the replies that stand one after another in what a connection brought. */
export function parseReplies(bytes: string): Reply[] {
  const [start = '', ...rest] = bytes.split('\r\n\r\n');
  if (rest.length === 0) return [];
  const [statusLine = '', ...lines] = start.split('\r\n');
  const fields = lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const);
  const headers = Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), value]));
  const afterHead = rest.join('\r\n\r\n');
  const length = Number(headers['content-length']);
  return [
    {
      status: Number(statusLine.split(' ')[1]),
      headers,
      rawHeaders: fields.map(([name]) => name),
      body: afterHead.slice(0, length),
    },
    ...parseReplies(afterHead.slice(length)),
  ];
}
