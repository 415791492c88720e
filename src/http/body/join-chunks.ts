import { Transform } from 'node:stream';

/** Bytes. */
const BLOCK = 4_096;

/** Joins the chunks of a body into blocks: a chunk may have a byte, takes hundreds, and who reads a body keeps all until its end. */
export function joinChunks(): Transform {
  let block = Buffer.allocUnsafe(BLOCK);
  let used = 0;
  function takeBlock(): Buffer {
    const taken = block.subarray(0, used);
    block = Buffer.allocUnsafe(BLOCK);
    used = 0;
    return taken;
  }
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (used > 0 && used + chunk.length > BLOCK) this.push(takeBlock());
      if (chunk.length > BLOCK) return done(null, chunk);
      chunk.copy(block, used);
      used += chunk.length;
      done();
    },
    flush(done) {
      done(null, used > 0 ? takeBlock() : undefined);
    },
  });
}
