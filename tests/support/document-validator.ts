// Checks values against schemas that stand somewhere in a document: by JSON Schema alone, as any other program would.
import assert from 'node:assert/strict';
import { Ajv, type AnySchema, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

export type DocumentValidator = {
  /** Throws unless the schema at that place, for example `['components', 'schemas', 'Room']`, takes the value. */
  assertIs(place: readonly string[], value: unknown, what: string): void;
};

const OPTIONS = { allErrors: true, strict: false, validateSchema: false } as const;

export function openDocumentValidator(document: object, draft: '7' | '2020-12'): DocumentValidator {
  const ajv = draft === '7' ? new Ajv(OPTIONS) : new Ajv2020(OPTIONS);
  formats.default(ajv);
  ajv.addSchema(document as AnySchema, 'document');
  const compiled = new Map<string, ValidateFunction>();
  return {
    assertIs(place, value, what) {
      const pointer = `document#/${place.map(toPointerPart).join('/')}`;
      const validate = compiled.get(pointer) ?? ajv.compile({ $ref: pointer });
      compiled.set(pointer, validate);
      if (validate(value)) return;
      assert.fail(`${what} is not as documented: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(value)}`);
    },
  };
}

function toPointerPart(key: string): string {
  return encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'));
}
