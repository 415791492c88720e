/**
 * Makes clients/typescript/contract.ts from openapi.yaml: its types, and a table of routes for each kind of token. The client
 * around it is written by hand.
 */
import { writeFile } from 'node:fs/promises';
import openapiTypescript, { astToString } from 'openapi-typescript';
import ts from 'typescript';
import { loadContract, type Operation } from '../src/contract/contract.js';

const contract = loadContract();
// Replies have fetch's own Headers.
const document = JSON.stringify(contract.brief, (key, value) => (key === 'headers' ? undefined : value));
const { paths }: { paths: { [path: string]: { [method: string]: { summary: string } } } } = JSON.parse(document);

const types = (await openapiTypescript(document)).filter(
  (node) => ts.isInterfaceDeclaration(node) && ['components', 'operations'].includes(node.name.text),
);
await writeFile(
  new URL('../clients/typescript/contract.ts', import.meta.url),
  [
    '/** Made from openapi.yaml by `npm run sdk`. Do not edit. */',
    astToString(types),
    routesOf('publicRoutes'),
    routesOf('userRoutes', 'userToken'),
    routesOf('adminRoutes', 'adminToken'),
  ].join('\n'),
);

/** The operations for callers with a token of this scheme, or without one. */
function routesOf(name: string, scheme?: string): string {
  const members = contract.operations
    .filter(({ securityScheme }) => securityScheme === scheme)
    .map((operation) => `  /** ${summaryOf(operation)} */\n  ${operation.id}: '${routeOf(operation)}',\n`);
  return `export const ${name} = {\n${members.join('')}};\n`;
}

function summaryOf({ path, method }: Operation): string | undefined {
  return paths[path]?.[method.toLowerCase()]?.summary;
}

/** Method, path, and the media type of a success that is not JSON. */
function routeOf({ method, path, replies }: Operation): string {
  const mediaTypes = [...replies.values()].map(({ mediaType }) => mediaType);
  const other = mediaTypes.find((mediaType) => mediaType !== undefined && mediaType !== 'application/json');
  return [method, path, ...(other ? [other] : [])].join(' ');
}
