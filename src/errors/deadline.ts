/** The time that a request has left. */
export type Deadline = {
  /** Milliseconds. */
  remaining(): number;
  /** Gives back time that does not count, in milliseconds. */
  extend(milliseconds: number): void;
};

export function createDeadline(milliseconds: number): Deadline {
  let end = performance.now() + milliseconds;
  return {
    remaining: () => end - performance.now(),
    extend(more) {
      end += more;
    },
  };
}

/**
 * Resolves as `work` does. After the deadline the work goes on, but its result is ignored.
 *
 * @param tooLate - makes the error that is thrown once the deadline has passed
 */
export async function within<T>(deadline: Deadline, work: () => Promise<T>, tooLate: () => Error): Promise<T> {
  const remaining = deadline.remaining();
  if (remaining <= 0) throw tooLate();
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(tooLate()), remaining);
  });
  try {
    return await Promise.race([work(), passed]);
  } finally {
    clearTimeout(timer);
  }
}
