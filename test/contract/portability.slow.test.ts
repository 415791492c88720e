import { readFile } from 'node:fs/promises';
import t from 'tap';
import { loadContract } from '#built/contract/contract.js';
import { portabilityFaults } from './portability.js';

const served = loadContract().served.asYaml('https://login.example.com');

t.test('the contract is in what every tool reads, as it is served', async (t) => {
  t.same(portabilityFaults(served), []);
});

t.test('its source has no anchors either', async (t) => {
  const source = await readFile(new URL('../../openapi.yaml', import.meta.url), 'utf8');
  t.same(
    portabilityFaults(source).filter((fault) => fault.startsWith('anchor')),
    [],
  );
});

const broken: [what: string, text: string, replacement: string, said: RegExp][] = [
  ['a newer OpenAPI', 'openapi: 3.1.0', 'openapi: 3.1.1', /^openapi: 3.1.1 is not known/],
  ['an anchor', 'operationId: createSession', 'operationId: &id createSession', /^anchor &id: .*Psych/],
  ['an extension', 'operationId: createSession', 'x-limit: 1', /post\/x-limit: an extension/],
  ['a pattern that RE2 does not read', '[^\\x00]*', '[^\\u0000]*', /pattern: RE2 does not read .*u0000/],
  ['a pattern that ECMAScript does not read', '[^\\x00]*', '\\A[^\\x00]*', /pattern: ECMAScript does not read/],
  [
    'another media type before JSON',
    '          application/json:\n',
    '          text/plain: {}\n          application/json:\n',
    /content: generators take the first media type, text\/plain/,
  ],
  [
    'a schema without a name',
    '$ref: "#/components/schemas/FieldError"',
    'properties: {}',
    /items: an object without a/,
  ],
  ['a boolean schema', 'additionalProperties: {}', 'additionalProperties: true', /additionalProperties: a boolean/],
  [
    'a choice of required fields',
    '    Session:\n',
    '    Session:\n      anyOf: [{ required: [a] }]\n',
    /Session: a choice/,
  ],
  ['nullable', '    Session:\n', '    Session:\n      nullable: true\n', /nullable: OpenAPI 3.1/],
  ['a name that Go has', '    Session:\n', '    NewError: {}\n    Session:\n', /NewError: Go's constructor of Error/],
  [
    'a message with an example',
    'description: What went wrong, for a person to read.',
    'example: Oops',
    /Error: a message with an example/,
  ],
  ['another schema for a failure', 'schemas/InvalidCredentials"', 'schemas/Health"', /InvalidCredentials: its schema/],
];

for (const [what, text, replacement, said] of broken) {
  t.test(`tells ${what}`, async (t) => {
    t.ok(served.includes(text), `the contract has ${text}`);
    const faults = portabilityFaults(served.replace(text, replacement));
    t.ok(
      faults.some((fault) => said.test(fault)),
      faults.join('; '),
    );
  });
}
