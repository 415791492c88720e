import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/**
 * Writes a users table as Rails exports it; the emails are in no order, as they are in life.
 *
 * @param after - the id before the first one
 */
export async function writeUsers(path: string, rows: number, after = 0): Promise<void> {
  function* lines() {
    yield 'id,email,password_digest,created_at\n';
    for (let id = after + 1; id <= after + rows; id += 1) {
      const name = ((id * 2_654_435_761) % 4_294_967_296).toString(36);
      const salted = String(id).padStart(53, 'abcdefghijklmnopqrstuvwxyz./ABCDEFGHIJKLMNOPQRSTUVWXYZ');
      yield `${id},${name}@example.com,$2a$12$${salted},2026-01-02 03:04:05.678901\n`;
    }
  }
  await pipeline(Readable.from(lines()), createWriteStream(path));
}
