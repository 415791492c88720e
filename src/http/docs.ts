import helmet from '@fastify/helmet';
import swagger, { type StaticDocumentSpec } from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fp from 'fastify-plugin';
import type { Contract } from '../contract/contract.js';

const PACKAGE = '@fastify/swagger-ui';

/** Makes the page fit a telephone. No operation has links: their column is hidden. */
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

/** Makes nine replies fit three screens: hides choices of one media type, and titles of headers. */
const SHORT_REPLIES = `.swagger-ui .response-control-media-type:has(option:only-child) { display: none; }
.swagger-ui .responses-inner .headers thead { display: none; }
.swagger-ui .responses-inner .model-example { margin-top: 0; }
.swagger-ui .responses-table .response-col_description, .swagger-ui .responses-table .response-col_status { padding-top: 8px; }
.swagger-ui .responses-table .response-col_description__inner p { margin: 0; }
.swagger-ui .responses-table .response-col_description .highlight-code .microlight { margin: 0; padding: 4px 10px; }
.swagger-ui .responses-inner .headers__title { display: none; }
.swagger-ui .responses-inner .headers td { padding: 2px 0; }
.swagger-ui .response .response-controls { padding-top: 0; margin: 0; }
.swagger-ui .response .tab { margin: 4px 0; padding-top: 0; }
.swagger-ui .opblock-section-request-body .body-param__text { min-height: 120px; height: 120px; }`;

/** Serves Swagger UI at its operation's path, with files of this host only, under its own Content-Security-Policy. */
export const docsPlugin = fp<{ contract: Contract }>(
  async (app, { contract }) => {
    const operation = contract.operations.find(({ servedBy }) => servedBy === PACKAGE);
    if (!operation) return;
    await app.register(async (docs) => {
      docs.addHook('onRoute', (route) => {
        route.config = { ...route.config, operation, operationsAtPath: [operation] };
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
        // Only the proxy knows whether this host has HTTPS.
        strictTransportSecurity: false,
      });
      // Its types know OpenAPI 2 and 3.0 only; it passes the document on unchanged.
      const document = contract.brief as unknown as StaticDocumentSpec['document'];
      await docs.register(swagger, { mode: 'static', specification: { document } });
      await docs.register(swaggerUi, {
        routePrefix: operation.path,
        uiConfig: { layout: 'BaseLayout', tryItOutEnabled: true },
        theme: {
          title: contract.title,
          css: [
            { filename: 'narrow-screens.css', content: NARROW_SCREENS.css },
            { filename: 'short-replies.css', content: SHORT_REPLIES },
          ],
          js: [{ filename: 'narrow-screens.js', content: NARROW_SCREENS.js }],
        },
      });
    });
  },
  { name: 'docs', dependencies: ['operation', 'response-headers', 'errors'] },
);
