import { writeSync } from 'node:fs';

/** Where the log writes its lines. */
export type LogStream = { write(line: string): void };

/** Bytes of lines that wait for room. More are dropped. */
const MAX_WAITING = 1_048_576;
/** Milliseconds between attempts to write what waits. */
const RETRY_AFTER = 10;
/** Milliseconds at the exit for what waits. */
const EXIT_TIMEOUT = 1_000;

/**
 * Writes lines at once. If that fails (the disk is full, nobody reads the pipe), it keeps the next lines and drops those that do
 * not fit, so the service keeps running. It writes a line whole or not at all.
 *
 * @param fd - a file, or a pipe that does not block
 */
export function createLogStream(fd: number, onDropped: () => void = () => {}): LogStream {
  let waiting: Buffer[] = [];
  let bytes = 0;

  function keep(line: Buffer): void {
    waiting.push(line);
    bytes += line.length;
  }

  /** Returns what could not be written. */
  function tryToWrite(data: Buffer): Buffer {
    let rest = data;
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(fd, rest));
    } catch {
      // There is no other place to report it.
    }
    return rest;
  }

  function writeWaiting(): void {
    let written = 0;
    for (const line of waiting) {
      const rest = tryToWrite(line);
      bytes -= line.length - rest.length;
      if (rest.length > 0) {
        waiting[written] = rest;
        break;
      }
      written += 1;
    }
    waiting = waiting.slice(written);
  }

  function retry(): void {
    writeWaiting();
    if (bytes > 0) setTimeout(retry, RETRY_AFTER).unref();
  }

  process.once('exit', () => {
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    const deadline = performance.now() + EXIT_TIMEOUT;
    while (bytes > 0 && performance.now() < deadline) {
      writeWaiting();
      if (bytes > 0) Atomics.wait(sleeper, 0, 0, RETRY_AFTER);
    }
  });

  return {
    write(line) {
      const data = Buffer.from(line);
      if (bytes === 0) {
        const rest = tryToWrite(data);
        if (rest.length === 0) return;
        keep(rest);
        setTimeout(retry, RETRY_AFTER).unref();
      } else if (bytes + data.length > MAX_WAITING) onDropped();
      else keep(data);
    },
  };
}
