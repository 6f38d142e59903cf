// Shows JSON Schemas as tables of fields: name, type, what it means and its limits.
import { code, element, inline, link, table } from './elements.js';

const MANY_VALUES = 8;

/** The fields of a schema. One that stands under a name is shown by its fields here, too; those inside it are links. */
export function fields(schema, schemas) {
  const { properties, anyOf, $ref } = schema;
  if ($ref) return fields(schemas[nameOf($ref)], schemas);
  if (anyOf && !properties) {
    return anyOf.flatMap((one, index) => [
      element('p', { class: 'variant' }, index === 0 ? 'Either: ' : 'Or: ', ...inline(one.description ?? '')),
      ...fields(one, schemas),
    ]);
  }
  if (!properties) return [element('p', {}, ...typeOf(schema))];
  return [table(['Field', 'Type', 'Meaning'], rowsOf(schema, ''))];
}

/** A parameter's or header's row: name, type, meaning. */
export function parameterRow(name, { schema, description, required }, place) {
  return { cells: [nameCell(name, required), typeOf(schema), [place, ...meaning({ ...schema, description })]] };
}

/** Every schema that has a name, each with a place of its own. */
export function namedSchemas(schemas) {
  return Object.entries(schemas).map(([name, schema]) =>
    element(
      'section',
      { id: `schema-${name}` },
      element('h3', {}, name),
      schema.description ? element('p', {}, ...inline(schema.description)) : null,
      ...fields(schema, schemas),
    ),
  );
}

export function nameOf(reference) {
  return reference.split('/').at(-1);
}

/** Fields of objects that have no name of their own stand below them, with the way to them. */
function rowsOf({ properties, required = [] }, way) {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const cells = [nameCell(way + name, required.includes(name)), typeOf(schema), meaning(schema)];
    const inner = schema.type === 'array' ? schema.items : schema;
    const isOpened = inner.properties !== undefined;
    return [{ cells }, ...(isOpened ? rowsOf(inner, `${way}${name}${inner === schema ? '.' : '[].'}`) : [])];
  });
}

function nameCell(name, isRequired) {
  return [code(name), isRequired ? null : element('span', { class: 'optional' }, 'optional')].filter(
    (part) => part !== null,
  );
}

function typeOf(schema) {
  const { $ref, anyOf, type, items, format, enum: values } = schema;
  if ($ref) return [link(`#schema-${nameOf($ref)}`, nameOf($ref))];
  if (schema.const !== undefined) return [code(JSON.stringify(schema.const))];
  if (values) return values.length > MANY_VALUES ? ['text, a code'] : joined(values.map((value) => [code(value)]));
  if (anyOf) return joined(anyOf.map(typeOf));
  if (type === 'array') return ['array of ', ...typeOf(items)];
  if (Array.isArray(type)) return [type.map(word).join(' or ')];
  return [format === 'date-time' ? 'time' : word(type)];
}

function joined(parts) {
  return parts.flatMap((part, index) => (index === 0 ? part : [' or ', ...part]));
}

function word(type) {
  const words = { string: 'text', integer: 'whole number', boolean: 'true or false' };
  return words[type] ?? type ?? 'anything';
}

function meaning(schema) {
  const limits = limitsOf(schema);
  return [
    ...inline(schema.description ?? ''),
    limits.length > 0 ? element('span', { class: 'limits' }, limits.join(', ')) : null,
  ].filter((part) => part !== null && part !== '');
}

function limitsOf({ minLength, maxLength, minimum, maximum, default: fallback }) {
  const range = (least, most, unit) => {
    if (least !== undefined && most !== undefined) return `${counted(least)} to ${counted(most)}${unit}`;
    if (most !== undefined) return `at most ${counted(most)}${unit}`;
    return least === undefined ? null : `at least ${counted(least)}${unit}`;
  };
  return [
    range(minLength, maxLength, ' characters'),
    range(minimum, maximum, ''),
    fallback === undefined ? null : `${fallback} where it is left out`,
  ].filter((limit) => limit !== null);
}

function counted(number) {
  return number.toLocaleString('en');
}
