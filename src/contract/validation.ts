import { Ajv2020, type ErrorObject, type Options } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { FieldError } from '../errors/http-error.js';
import type { Schema } from './contract.js';

/** Returns the errors of a value, at most one a field. */
export type Validate = (value: unknown) => FieldError[];

/** Of a field that is missing. */
export const IS_REQUIRED = { message: 'is required', code: 'required' };

/** The build has checked the schemas themselves; checking them here would take longer than the whole start. */
const compiler = createAjv({ meta: false, validateSchema: false });

/** Compiles a schema of the contract. Validation collects all errors, since requests are short. */
export function compileSchema(schema: Schema): Validate {
  const validate = compiler.compile(schema);
  return (value) => {
    if (validate(value)) return [];
    const byField = new Map<string, FieldError>();
    for (const error of validate.errors ?? []) {
      const field = fieldOf(error);
      if (!byField.has(field)) byField.set(field, { field, message: messageOf(error, schema), code: codeOf(error) });
    }
    return [...byField.values()];
  };
}

/**
 * Makes a function that gives the fields of a path, a query or a form, which are text, the types of their schemas: as
 * clients write JSON's numbers. `1.0` is an integer in JSON Schema, and what Python makes of a float. JavaScript's own conversion
 * takes `0x1` and ` 1` for 1, past the rules that a proxy has for paths. Other text stays text, and validation refuses it.
 *
 * @throws Error where a schema has another type
 */
export function createTextReader({ properties }: Schema): (fields: unknown) => unknown {
  // The build has checked that `properties` has a schema for each name.
  const schemas = new Map(Object.entries((properties ?? {}) as { [name: string]: Schema }));
  for (const [name, { type }] of schemas) {
    if (!TEXT_TYPES.has(type))
      throw new Error(`openapi.yaml: ${name}: no ${type} can be read from a path, a query or a form`);
  }
  return (fields) =>
    typeof fields === 'object' && fields !== null
      ? Object.fromEntries(
          Object.entries(fields).map(([name, text]) => [name, readText(text, schemas.get(name)?.type)]),
        )
      : fields;
}

function readText(text: unknown, type: unknown): unknown {
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  if (type === 'integer' && typeof text === 'string' && INTEGER.test(text)) return Number(text);
  return text;
}

/** A schema without a type is an enumeration of texts. */
const TEXT_TYPES = new Set<unknown>(['string', 'integer', 'boolean', undefined]);
const INTEGER = /^-?(?:0|[1-9]\d*)(?:\.0+)?$/;

/** @throws Error where a schema is not valid JSON Schema */
export function checkSchemas(schemas: Schema[]): void {
  const ajv = createAjv({});
  for (const schema of schemas) ajv.compile(schema);
}

function createAjv(options: Options): Ajv2020 {
  const ajv = new Ajv2020({ allErrors: true, ...options });
  addFormats.default(ajv);
  ajv.addVocabulary(['example', 'x-pattern-message']);
  return ajv;
}

function fieldOf({ instancePath, keyword, params }: ErrorObject): string {
  const path = instancePath.split('/').slice(1);
  const more = { required: params.missingProperty, additionalProperties: params.additionalProperty }[keyword];
  return (more === undefined ? path : [...path, more]).join('.');
}

/** What is wrong with a field, by keyword of JSON Schema. */
const CODES: { [keyword: string]: string } = {
  required: IS_REQUIRED.code,
  additionalProperties: 'unknown',
  type: 'wrong_type',
  minLength: 'too_short',
  maxLength: 'too_long',
  minimum: 'too_small',
  maximum: 'too_large',
};

function codeOf({ keyword }: ErrorObject): string {
  return CODES[keyword] ?? 'malformed';
}

function messageOf({ keyword, params, message, schemaPath }: ErrorObject, schema: Schema): string {
  switch (keyword) {
    case 'required':
      return IS_REQUIRED.message;
    case 'additionalProperties':
      return 'is unknown';
    case 'type':
      return params.type === 'boolean' ? 'must be true or false' : `must be one ${params.type}`;
    case 'minLength':
      return params.limit === 1 ? 'must not be empty' : `must have at least ${params.limit} characters`;
    case 'maxLength':
      return `must have at most ${params.limit} characters`;
    case 'pattern':
      return patternMessage(schema, schemaPath) ?? 'is malformed';
    default:
      return message ?? 'is not valid';
  }
}

/** The contract may give a message for people beside a regular expression. */
function patternMessage(schema: Schema, schemaPath: string): string | undefined {
  const keys = schemaPath.split('/').slice(1, -1);
  const owner = keys.reduce<unknown>((parent, key) => (parent as Schema | undefined)?.[key], schema);
  const message = (owner as Schema | undefined)?.['x-pattern-message'];
  return typeof message === 'string' ? message : undefined;
}
