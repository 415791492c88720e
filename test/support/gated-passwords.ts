import { EventEmitter, once } from 'node:events';
import { createHashQueue } from '#built/passwords/hash-queue.js';
import { createPasswords } from '#built/passwords/passwords.js';

/** Passwords whose logins hash in slots, but not before the test opens the gate. */
export function createGatedPasswords(slots: number) {
  const events = new EventEmitter().setMaxListeners(0);
  const hashQueue = createHashQueue({ slots });
  let isOpen = false;
  let begun = 0;
  let hungUp = 0;
  let asked = 0;
  const run: typeof hashQueue.run = (task, waiter, memory) => {
    // The service's own hashes have none: they find out how long a hash takes, and upgrade digests.
    if (!waiter) return hashQueue.run(task, waiter, memory);
    waiter.onHangUp(() => {
      hungUp += 1;
      events.emit('hung up');
    });
    const whenOpen = async () => {
      begun += 1;
      events.emit('begun');
      if (!isOpen) await once(events, 'open');
      return task();
    };
    const hashed = hashQueue.run(whenOpen, waiter, memory);
    asked += 1;
    events.emit('asked');
    return hashed;
  };
  return {
    passwords: createPasswords({ algorithm: 'bcrypt', cost: 4 }, { ...hashQueue, run }),
    /** How many logins have got a slot. */
    begun: () => begun,
    async untilBegun(count: number): Promise<void> {
      while (begun < count) await once(events, 'begun');
    },
    /** Resolves when so many logins have a slot, or wait for one. */
    async untilAsked(count: number): Promise<void> {
      while (asked < count) await once(events, 'asked');
    },
    /** Resolves when so many clients whose logins wait or hash have hung up. */
    async untilHungUp(count: number): Promise<void> {
      while (hungUp < count) await once(events, 'hung up');
    },
    open() {
      isOpen = true;
      events.emit('open');
    },
  };
}
