import t from 'tap';
import { startProgress } from '#built/commands/progress.js';

function record(isTTY: boolean, columns = 80) {
  let time = 0;
  const written: string[] = [];
  const stream = { isTTY, columns, write: (text: string) => written.push(text) > 0 };
  const progress = startProgress(stream, () => time);
  return {
    written,
    stop: progress.stop,
    report(at: number, rows: number, fraction?: number) {
      time = at;
      progress.report(rows, fraction);
    },
  };
}

t.test('a bar on a terminal', async (t) => {
  const { written, report, stop } = record(true);
  report(50, 10, 0.01);
  t.same(written, [], 'not at once');
  report(2_000, 50_000, 0.25);
  t.same(written, ['\r[######------------------] 25 %, 50,000 rows, 25,000 rows/s, 6 s left\x1b[K']);
  report(4_000, 80_000);
  t.equal(written[1], '\r80,000 rows, 20,000 rows/s\x1b[K', 'where the end is not known');
  stop();
  t.equal(written[2], '\r\x1b[K');
  const narrow = record(true, 20);
  narrow.report(2_000, 50_000, 0.25);
  t.equal(narrow.written[0]?.replace('\x1b[K', '').length, 20, 'never wraps');
});

t.test('lines elsewhere', async (t) => {
  const { written, report, stop } = record(false);
  report(4_000, 1, 0.1);
  report(5_000, 50_000, 0.5);
  report(6_000, 60_000, 0.6);
  report(10_000, 100_000, 1);
  stop();
  t.same(written, ['50 %, 50,000 rows, 10,000 rows/s, 5 s left\n', '100 %, 100,000 rows, 10,000 rows/s, 0 s left\n']);
});
