import type { WriteStream } from 'node:tty';

type Stream = Pick<WriteStream, 'isTTY' | 'columns'> & { write(text: string): boolean };

export type Progress = {
  /** Tells how far the work is; `fraction`, from 0 to 1, where the end is known. */
  report(rows: number, fraction?: number): void;
  /** Takes the bar off the terminal. */
  stop(): void;
};

const BAR_WIDTH = 24;
/** Milliseconds between two states of the bar, and between two lines where there is no terminal. */
const BAR_INTERVAL = 100;
const LINE_INTERVAL = 5_000;

/** Shows a long work's progress on standard error: a bar on a terminal, elsewhere a line now and then. */
export function startProgress(stream: Stream = process.stderr, now = () => performance.now()): Progress {
  const started = now();
  let next = started + (stream.isTTY ? BAR_INTERVAL : LINE_INTERVAL);
  return {
    report(rows, fraction) {
      const time = now();
      if (time < next) return;
      next = time + (stream.isTTY ? BAR_INTERVAL : LINE_INTERVAL);
      const state = describeProgress(rows, (time - started) / 1000, fraction);
      if (!stream.isTTY) stream.write(`${state}\n`);
      else stream.write(`${`\r${barOf(fraction)}${state}`.slice(0, stream.columns)}\x1b[K`);
    },
    stop() {
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
