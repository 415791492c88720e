import helmet from '@fastify/helmet';
import swagger, { type StaticDocumentSpec } from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fp from 'fastify-plugin';
import type { Contract } from '../contract.js';

const PACKAGE = '@fastify/swagger-ui';

/** The page is made for a desk; these make it fit a telephone. No operation has links, whose column takes the room. */
const NARROW_SCREENS = {
  js: `document.head.append(Object.assign(document.createElement('meta'),
    { name: 'viewport', content: 'width=device-width, initial-scale=1' }));`,
  css: `.response-col_links { display: none; }
@media (max-width: 640px) {
  .swagger-ui .wrapper { padding: 0 8px; }
  .swagger-ui .responses-table { overflow-wrap: anywhere; }
  .swagger-ui .servers > label { margin-right: 0; }
  .swagger-ui .opblock-section-header { flex-wrap: wrap; }
  .swagger-ui .parameters-container .parameters tr { display: grid; }
}`,
};

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
      const document = contract.brief as unknown as StaticDocumentSpec['document'];
      await docs.register(swagger, { mode: 'static', specification: { document } });
      await docs.register(swaggerUi, {
        routePrefix: operation.path,
        uiConfig: { layout: 'BaseLayout', tryItOutEnabled: true },
        theme: {
          title: contract.title,
          css: [{ filename: 'narrow-screens.css', content: NARROW_SCREENS.css }],
          js: [{ filename: 'narrow-screens.js', content: NARROW_SCREENS.js }],
        },
      });
    });
  },
  { name: 'docs', dependencies: ['response-headers', 'errors'] },
);
