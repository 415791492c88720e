import helmet from '@fastify/helmet';
import swagger, { type StaticDocumentSpec } from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fp from 'fastify-plugin';
import type { Contract } from '../contract.js';

const PACKAGE = '@fastify/swagger-ui';

/** Serves Swagger UI where the contract says so, from this host alone, under a Content-Security-Policy of its own. */
export const docsPlugin = fp<{ contract: Contract }>(
  async (app, { contract }) => {
    const operation = contract.operations.find(({ servedBy }) => servedBy === PACKAGE);
    if (!operation) return;
    await app.register(async (docs) => {
      docs.addHook('onRoute', (route) => {
        route.config = { ...route.config, operation };
      });
      await docs.register(helmet, {
        contentSecurityPolicy: {
          useDefaults: false,
          directives: {
            defaultSrc: ["'self'"],
            imgSrc: ["'self'", 'data:'],
            // Swagger UI writes its style into the page.
            styleSrc: ["'self'", "'unsafe-inline'"],
            objectSrc: ["'none'"],
            baseUri: ["'none'"],
            formAction: ["'self'"],
            frameAncestors: ["'self'"],
          },
        },
        // Whether this host is reached by HTTPS is for the proxy in front of it to say.
        strictTransportSecurity: false,
      });
      // Its types know OpenAPI 2 and 3.0; it passes the document on as it is.
      const document = contract.document as unknown as StaticDocumentSpec['document'];
      await docs.register(swagger, { mode: 'static', specification: { document } });
      await docs.register(swaggerUi, { routePrefix: operation.path });
    });
  },
  { name: 'docs', dependencies: ['response-headers', 'errors'] },
);
