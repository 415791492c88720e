import fp from 'fastify-plugin';
import { type DescribeRequest, onceEnded } from './ended-request.js';
import type { Metrics } from './metrics.js';

export type RequestMetricsOptions = { metrics: Pick<Metrics, 'requestEnded'>; describe: DescribeRequest };

/** Counts each request, also if the client has hung up. */
export const requestMetricsPlugin = fp<RequestMetricsOptions>(
  async (app, { metrics, describe }) => {
    app.addHook('onRequest', (request, reply, done) => {
      onceEnded(request, reply, describe, metrics.requestEnded);
      done();
    });
  },
  { name: 'request-metrics' },
);
