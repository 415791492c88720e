/**
 * Makes src/generated/ from openapi.yaml and prisma/schema.prisma: the document as it is served, types, the table of
 * handlers, a client per database.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import openapiTypescript, { astToString } from 'openapi-typescript';
import { loadContract } from '../src/contract/contract.js';
import { checkSchemas } from '../src/contract/validation.js';
import { PROVIDERS, type Provider } from '../src/database/connection/database-url.js';
import { schemaFor } from './schema.js';

// As ES modules they can't be loaded: the first imports names that the second one has as CommonJS only.
const require = createRequire(import.meta.url);
const {
  PrismaClientTsGenerator,
}: typeof import('@prisma/client-generator-ts') = require('@prisma/client-generator-ts');
const { getGenerator, loadSchemaContext }: typeof import('@prisma/internals') = require('@prisma/internals');

const root = new URL('../', import.meta.url);
const generated = new URL('src/generated/', root);

const contract = loadContract();
checkSchemas(
  contract.operations.flatMap(({ bodies, parameters, replies }) => [
    parameters.path,
    parameters.query,
    ...[...bodies.values(), ...replies.values()].map(({ schema }) => schema),
  ]),
);

await rm(generated, { recursive: true, force: true });
await mkdir(generated, { recursive: true });
await Promise.all([generateTypes(), generateHandlers(), ...PROVIDERS.map(generateClient)]);

async function generateTypes() {
  const served = contract.served.asYaml();
  await writeFile(new URL('openapi.yaml', generated), served);
  const types = astToString(await openapiTypescript(served));
  await writeFile(new URL('contract.ts', generated), `${types}\n${securitySchemes()}`);
}

/** The scheme of each operation that asks for one: openapi-typescript leaves them out. */
function securitySchemes(): string {
  const members = contract.operations
    .filter(({ securityScheme }) => securityScheme !== undefined)
    .map(({ id, securityScheme }) => `  ${id}: '${securityScheme}';\n`);
  return `export interface SecuritySchemes {\n${members.join('')}}\n`;
}

/** One import for each operation; fails where an operation has no handler, or a handler no operation. */
async function generateHandlers() {
  const ids = contract.operations.filter((operation) => !operation.servedBy).map((operation) => operation.id);
  const files = (await readdir(new URL('src/operations/', root), { recursive: true })).filter((file) =>
    /\.ts$/.test(file),
  );
  const fileById = new Map(files.map((file) => [basename(file, '.ts'), file]));
  const faults = [
    ...ids
      .filter((id) => !fileById.has(id))
      .map((id) => `operation ${id} has no handler: ${id}.ts is missing below src/operations/`),
    ...[...fileById]
      .filter(([id]) => !ids.includes(id))
      .map(([id, file]) => `src/operations/${file} handles no operation: openapi.yaml has no operationId ${id}`),
  ];
  if (faults.length > 0) {
    for (const fault of faults) console.error(fault);
    process.exit(1);
  }
  await writeFile(
    new URL('handlers.ts', generated),
    [
      "import type { Handler, OperationId } from '../contract/handler.js';",
      "import type { ServicesOf } from '../services.js';",
      ...[...fileById].map(([id, file]) => `import { ${id} } from '../operations/${file.replace(/ts$/, 'js')}';`),
      '',
      `export const handlers = { ${ids.join(', ')} } satisfies { [Id in OperationId]?: Handler<Id, ServicesOf<Id>> };`,
      '',
    ].join('\n'),
  );
}

/** As `prisma generate` does, but without its package, which also brings Prisma Studio and a database server. */
async function generateClient(provider: Provider) {
  const models = await readFile(new URL('prisma/schema.prisma', root), 'utf8');
  const cliProvidedPath = fileURLToPath(new URL(`${provider}.prisma`, generated));
  await writeFile(cliProvidedPath, schemaFor(provider, models));
  const generator = await getGenerator({
    schemaContext: await loadSchemaContext({ schemaPath: { cliProvidedPath }, printLoadMessage: false }),
    registry: { 'prisma-client': { type: 'in-process', generator: new PrismaClientTsGenerator() } },
    cliCommand: 'generate',
  });
  await generator.generate();
}
