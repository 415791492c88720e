import type { WriteStream } from 'node:tty';

type Stream = Pick<WriteStream, 'isTTY' | 'columns'> & { write(text: string): boolean };

const BAR_WIDTH = 24;
/** Milliseconds between two updates. */
const BAR_INTERVAL = 100;
const LINE_INTERVAL = 5_000;

/** Shows progress on standard error: a bar on a terminal, else a line at intervals. */
export function startProgress(stream: Stream = process.stderr, now = () => performance.now()) {
  const interval = stream.isTTY ? BAR_INTERVAL : LINE_INTERVAL;
  const started = now();
  let next = started + interval;
  return {
    /** @param fraction - from 0 to 1; undefined where the total is unknown */
    report(rows: number, fraction?: number): void {
      const time = now();
      if (time < next) return;
      next = time + interval;
      const state = describeProgress(rows, (time - started) / 1000, fraction);
      if (!stream.isTTY) stream.write(`${state}\n`);
      else stream.write(`${`\r${barOf(fraction)}${state}`.slice(0, stream.columns)}\x1b[K`);
    },
    /** Clears the bar. */
    stop(): void {
      if (stream.isTTY) stream.write('\r\x1b[K');
    },
  };
}

function barOf(fraction: number | undefined): string {
  if (fraction === undefined) return '';
  const done = Math.round(Math.min(fraction, 1) * BAR_WIDTH);
  return `[${'#'.repeat(done)}${'-'.repeat(BAR_WIDTH - done)}] `;
}

function describeProgress(rows: number, seconds: number, fraction: number | undefined): string {
  const rate = Math.round(rows / seconds);
  const state = `${rows.toLocaleString('en')} rows, ${rate.toLocaleString('en')} rows/s`;
  if (!fraction) return state;
  const left = Math.ceil((seconds / fraction) * (1 - fraction));
  return `${Math.floor(fraction * 100)} %, ${state}, ${left} s left`;
}
