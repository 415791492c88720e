import t from 'tap';
import { Overloaded } from '#built/errors/overloaded.js';
import { createAdmission } from '#built/http/admission.js';

const LIMITS = { slots: 2, maxQueue: 1_000, maxWait: 2_000 };

/** An admission whose clock the test moves. */
function start(limits: Partial<typeof LIMITS> = {}) {
  const clock = { now: 0 };
  const admission = createAdmission({ ...LIMITS, ...limits }, () => clock.now);
  const places: (() => void)[] = [];
  /** Takes places until one is refused; returns how many are taken. */
  const fill = () => {
    while (!admission.refusal() && places.length < 10_000) places.push(admission.take());
    return places.length;
  };
  /** Finishes hashes for as long as asked, and fills their places anew, as clients in a closed loop do. */
  const serve = (milliseconds: number, everyMilliseconds: number, hashes = 1) => {
    for (const end = clock.now + milliseconds; clock.now < end; ) {
      clock.now += everyMilliseconds;
      for (let hash = 0; hash < hashes; hash += 1) {
        admission.hashed(everyMilliseconds);
        places.shift()?.();
      }
      fill();
    }
    return places.length;
  };
  return { admission, clock, fill, serve, places };
}

t.test('the first hash tells how many are admitted', async (t) => {
  const { admission, fill } = start();
  admission.hashed(20);
  t.equal(fill(), 202, 'in two slots 200 hashes of 20 ms finish in 2 s, and two run');
});

t.test('then those that finish while requests wait', async (t) => {
  const { admission, fill, serve } = start();
  admission.hashed(20);
  fill();
  const slower = serve(30_000, 40);
  t.ok(Math.abs(slower - 52) <= 2, `25 a second: ${slower} places`);
  const faster = serve(30_000, 10);
  t.ok(Math.abs(faster - 202) <= 4, `100 a second: ${faster} places`);
  const atOnce = serve(30_000, 200, 20);
  t.ok(Math.abs(atOnce - 202) <= 30, `100 a second, seen 20 at once: ${atOnce} places`);
});

t.test('an idle service learns nothing from its idleness', async (t) => {
  const { admission, clock, fill } = start();
  admission.hashed(20);
  for (let login = 0; login < 100; login += 1) {
    const free = admission.take();
    clock.now += 1_000;
    admission.hashed(20);
    free();
  }
  t.equal(fill(), 202);
});

t.test('it recovers from a database that did not answer', async (t) => {
  const { admission, clock, places, fill, serve } = start();
  admission.hashed(20);
  fill();
  clock.now += 60_000;
  const refusal = admission.refusal();
  t.ok(refusal instanceof Overloaded);
  for (const free of places.splice(0)) free();
  t.equal(admission.refusal(), undefined, 'an empty service admits');
  fill();
  const after = serve(15_000, 10);
  t.ok(after > 180, `${after} places`);
});

t.test('limits', async (t) => {
  const short = start({ maxQueue: 5 });
  t.equal(short.fill(), 7, 'of the queue, without any hash too');
  const impatient = start({ maxWait: 0 });
  impatient.admission.hashed(20);
  t.equal(impatient.fill(), 2, 'who would have to wait is refused');
  const free = impatient.places[0];
  free?.();
  free?.();
  t.equal(impatient.admission.refusal(), undefined);
  impatient.admission.take();
  t.ok(impatient.admission.refusal(), 'a place is freed once');
});

t.test('Retry-After is spread over the time until those who wait are served', async (t) => {
  const { admission, fill, clock } = start({ maxWait: 4_000 });
  admission.hashed(20);
  fill();
  const seen = new Set(Array.from({ length: 1_000 }, () => admission.refusal()?.retryAfterSeconds));
  t.same([...seen].sort(), [1, 2, 3, 4, 5, 6]);
  clock.now += 3_600_000;
  for (let time = 0; time < 100; time += 1)
    t.ok(Number(admission.refusal()?.retryAfterSeconds) <= 60, 'at most a minute');
});
