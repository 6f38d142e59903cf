import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import avro from 'avsc';
import { describe, it } from 'mocha';
import {
  assertFullyCompatible,
  generateSupersededTypes,
  generateTypes,
  generateVersions,
  readVersions,
} from './generate.ts';
import { EVENT_TYPES } from './generated/events.ts';
import { SUPERSEDED_TYPES } from './generated/superseded-events.ts';
import { type AvroField, type AvroRecord, EVENT_NAMESPACE, loadEventSchemas, loadSupersededSchemas } from './load.ts';

const schemas = loadEventSchemas();

describe('the event schemas', () => {
  for (const [type, schema] of schemas) {
    it(`${type} is valid Avro by itself, in our namespace, with the shared metadata first`, () => {
      // Parsed alone and from text, as a reader gets it from the registry.
      const parsed = avro.Type.forSchema(JSON.parse(JSON.stringify(schema)) as avro.Schema);
      assert.equal(parsed.name, `${EVENT_NAMESPACE}.${type}`);
      assert.equal(schema.fields[0]?.name, 'metadata');
      assert.ok(!schema.fields.some(({ name }) => name === 'type'), 'the name "type" is taken by the tag of the union');
    });
  }

  it('give every optional field a default, so that a later version can leave it out', () => {
    for (const schema of schemas.values()) {
      for (const { name, type, ...field } of schema.fields) {
        if (Array.isArray(type)) assert.ok('default' in field, `${schema.name}.${name} is optional and has no default`);
      }
    }
  });
});

describe('the generated files', () => {
  it('are what npm run generate makes of the schemas', () => {
    const written = readFileSync(new URL('./generated/events.ts', import.meta.url), 'utf8');
    assert.equal(written, generateTypes());
    const superseded = readFileSync(new URL('./generated/superseded-events.ts', import.meta.url), 'utf8');
    assert.equal(superseded, generateSupersededTypes());
    assert.deepEqual(readVersions(), generateVersions(readVersions()));
    assert.deepEqual([...EVENT_TYPES], [...schemas.keys()]);
  });

  it('REPLAY-101 list the schema of every superseded type, and count no type twice', () => {
    const superseded = [...loadSupersededSchemas().keys()];
    assert.deepEqual([...SUPERSEDED_TYPES], superseded);
    const listed = new Set(readVersions().map(({ type }) => type));
    assert.deepEqual([...listed].sort(), [...EVENT_TYPES, ...superseded].sort());
  });

  it('number the schema versions 1, 2, 3 in the order they came', () => {
    assert.deepEqual(
      readVersions().map(({ id }) => id),
      readVersions().map((_, index) => index + 1),
    );
  });

  it('get a new version, and keep the old ones, when a schema changes', () => {
    const known = readVersions();
    const [first] = known;
    assert.ok(first);
    const older = { ...first, schema: { ...first.schema, doc: 'As it once was.' } };
    const versions = generateVersions([older, ...known.slice(1)]);
    assert.deepEqual(versions.slice(0, known.length), [older, ...known.slice(1)]);
    assert.deepEqual(versions.at(-1), { ...first, id: known.length + 1 });
  });
});

describe('full compatibility', () => {
  const base: AvroRecord = { type: 'record', name: 'Thing', fields: [{ name: 'id', type: 'string' }] };
  const withField = (field: AvroField): AvroRecord => ({ ...base, fields: [...base.fields, field] });

  it('lets fields with a default come and go', () => {
    const more = withField({ name: 'note', type: ['null', 'string'], default: null });
    assertFullyCompatible('Thing', base, more);
    assertFullyCompatible('Thing', more, base);
  });

  const refused: [string, AvroRecord][] = [
    ['a new field without a default', withField({ name: 'note', type: 'string' })],
    ['a field that is gone and had no default', { ...base, fields: [] }],
    ['a field of another type', { ...base, fields: [{ name: 'id', type: 'long' }] }],
    ['a field made optional', { ...base, fields: [{ name: 'id', type: ['null', 'string'], default: null }] }],
    ['another name', { ...base, name: 'Other' }],
  ];
  for (const [what, newer] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => assertFullyCompatible('Thing', base, newer), /not fully compatible/);
    });
  }
});
