import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { loadContract, operationNamed } from '#built/contract/contract.js';

const source = await readFile(new URL('../../openapi.yaml', import.meta.url), 'utf8');

/** Loads the contract with one piece of its text replaced. */
async function loadWith(t: Test, text: string, replacement: string) {
  t.ok(source.includes(text), `the contract has ${JSON.stringify(text)}`);
  const file = `${t.testdir()}/openapi.yaml`;
  await writeFile(file, source.replace(text, replacement));
  return loadContract(pathToFileURL(file));
}

const refused: [what: string, text: string, replacement: string, said: RegExp][] = [
  [
    'a status that the service may answer',
    `        "415":\n          $ref: "#/components/responses/UnsupportedMediaType"\n`,
    '',
    /operation createSession must declare status 415/,
  ],
  [
    'a status of any operation',
    `        "405":\n          $ref: "#/components/responses/MethodNotAllowed"\n        "500":\n          $ref: "#/components/responses/InternalServerError"\n\n  /readyz:`,
    `        "500":\n          $ref: "#/components/responses/InternalServerError"\n\n  /readyz:`,
    /operation getLiveness must declare status 405/,
  ],
  [
    'a status of a parameter in the path',
    '  /livez:\n',
    `  /livez/{id}:
    parameters:
      - { name: id, in: path, required: true, schema: { type: integer } }\n`,
    /operation getLiveness must declare status 400/,
  ],
  [
    'a status of a parameter in the query',
    '  /livez:\n',
    '  /livez:\n    parameters:\n      - { name: most, in: query, schema: { type: integer } }\n',
    /operation getLiveness must declare status 400/,
  ],
  ['the length of a body', 'x-max-content-length: 16384', 'x-nothing: 1', /createSession must declare x-max-content/],
  ['a status as a number', '"401":', '"4XX":', /reply 4XX of createSession needs a number/],
  ['a reference that leads somewhere', '/schemas/Credentials', '/schemas/Nobody', /schemas\/Nobody points to nothing/],
  [
    'a reference that ends',
    `$ref: "#/components/schemas/FieldError"`,
    `$ref: "#/components/schemas/Error"`,
    /schemas\/Error refers to itself/,
  ],
];

for (const [what, text, replacement, said] of refused) {
  t.test(`refuses a contract without ${what}`, async (t) => {
    await t.rejects(loadWith(t, text, replacement), { message: said });
  });
}

for (const [what, security] of [
  ['an alternative', '- userToken: []\n        - adminToken: []'],
  ['an alternative without a token', '- userToken: []\n        - {}'],
  ['a combination', '- { userToken: [], adminToken: [] }'],
  ['a scope', '- userToken: [read]'],
  ['no scheme', '- {}'],
]) {
  t.test(`refuses ${what} in the security of an operation`, async (t) => {
    const message = /security of operation getSession must be one scheme, without scopes/;
    await t.rejects(loadWith(t, '- userToken: []', String(security)), { message });
  });
}

t.test('reads the security of each operation', async (t) => {
  const contract = loadContract();
  t.equal(operationNamed(contract, 'getSession').securityScheme, 'userToken');
  t.equal(operationNamed(contract, 'listUsers').securityScheme, 'adminToken');
  t.equal(operationNamed(contract, 'createSession').securityScheme, undefined);
});
