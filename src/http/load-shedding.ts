import fp from 'fastify-plugin';
import type { Admission } from './admission.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Frees the place that the request has taken. */
    freePlace: (() => void) | undefined;
  }
}

type LoadSheddingOptions = { admission: Pick<Admission, 'refusal' | 'take'> };

/** Milliseconds until a refusal is sent: a client that retries at once would take the cores from the hashes. */
const DELAY = { least: 250, most: 500 };

/**
 * Refuses requests that hash a password and could not be answered in time, before the body and any query. A request takes
 * its place when its body is complete, so slow bodies hold none, and frees it with the reply.
 */
export const loadSheddingPlugin = fp<LoadSheddingOptions>(
  async (app, { admission }) => {
    const inItsTurn = createTurns();
    app.decorateRequest('freePlace');

    app.addHook('onRequest', ({ operation, raw }, _reply, done) => {
      const refusal = operation?.hashesPassword && admission.refusal();
      if (!refusal) return done();
      // The body is not kept meanwhile.
      raw.resume();
      refuse(refusal, done);
    });

    app.addHook('preValidation', (request, reply, done) => {
      if (!request.operation?.hashesPassword) return done();
      inItsTurn(() => {
        const refusal = admission.refusal();
        if (refusal) return refuse(refusal, done);
        request.freePlace = admission.take();
        // The client may have hung up before its turn.
        if (reply.raw.destroyed) request.freePlace();
        else reply.raw.once('close', request.freePlace);
        done();
      });
    });

    app.addHook('onSend', (request, _reply, _payload, done) => {
      request.freePlace?.();
      done();
    });
  },
  { name: 'load-shedding', dependencies: ['operation', 'framing'] },
);

function refuse(refusal: Error, done: (refusal: Error) => void): void {
  setTimeout(done, DELAY.least + Math.random() * (DELAY.most - DELAY.least), refusal);
}

/** Turns of the event loop from one login to the next. A turn accepts one connection, however many wait. */
const TURNS_APART = 4;

/** Runs tasks in their order, some turns of the event loop apart: connections, probes and finished hashes get theirs too. */
function createTurns(): (task: () => void) => void {
  const tasks: (() => void)[] = [];
  let turn = 0;
  function takeTurn(): void {
    turn = (turn + 1) % TURNS_APART;
    if (turn === 0) {
      tasks[0]?.();
      tasks.shift();
    }
    if (tasks.length > 0) setImmediate(takeTurn);
  }
  return (task) => {
    tasks.push(task);
    if (tasks.length === 1) setImmediate(takeTurn);
  };
}
