// The REST API as a page, made of its OpenAPI document.

import { errorCodes } from './codes.js';
import { beside, code, codeLink, element, example, inline, link, prose, show, table } from './elements.js';
import { fields, namedSchemas, nameOf, parameterRow } from './schemas.js';

void show('../api/v1/openapi.json', (api) => {
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
  );
  const groups = api.tags.map(({ name, description }) => ({
    name,
    description,
    operations: operations.filter(({ tags }) => tags.includes(name)),
  }));
  const { schemas } = api.components;
  return {
    groups: [
      ...groups.map((group) => [
        group.name,
        group.operations.map(({ operationId, method, path }) => [operationId, [badge(method), ` ${path}`]]),
      ]),
      ['Shapes', Object.keys(schemas).map((name) => [`schema-${name}`, name])],
      ['Codes', [['codes', 'Every code']]],
    ],
    parts: [
      element('h1', {}, `${api.info.title}: REST API`),
      ...prose(api.info.description),
      ...groups.flatMap(({ name, description, operations: ofGroup }) => [
        element('h2', { id: `group-${name}` }, name),
        element('p', { class: 'lead' }, description),
        ...ofGroup.map((operation) => showOperation(operation, api)),
      ]),
      element('h2', {}, 'Shapes'),
      ...namedSchemas(schemas),
      element('h2', { id: 'codes' }, 'Codes'),
      errorCodes(api['x-error-codes'], ['Status', ({ status }) => String(status)]),
    ],
  };
});

function showOperation(operation, api) {
  const { operationId, method, path, summary, description, security, parameters, requestBody, responses } = operation;
  const body = requestBody?.content['application/json'];
  const answers = Object.entries(responses).filter(([, { content }]) => !content?.['application/problem+json']);
  return element(
    'article',
    { id: operationId },
    element('h3', {}, badge(method), ' ', link(`#${operationId}`, code(path))),
    element('p', {}, ...inline(summary)),
    description ? element('p', {}, ...inline(description)) : null,
    element('p', { class: 'quiet' }, security.length > 0 ? 'A token is needed.' : 'For everybody, without a token.'),
    beside(
      [
        ...part('Parameters', parameterTable(parameters, api)),
        ...(body ? part('Body', fields(body.schema, api.components.schemas)) : []),
        ...answers.flatMap(([status, answer]) => showAnswer(status, answer, api)),
        ...part('Refused with', refusals(responses)),
      ],
      [
        example('Request', curl(operation, body)),
        ...answers.flatMap(([status, { content }]) =>
          Object.values(content ?? {}).map((one) => example(`Answer ${status}`, one.example)),
        ),
      ],
    ),
  );
}

function part(title, content) {
  return content.length === 0 ? [] : [element('h4', {}, title), ...content];
}

function parameterTable(parameters, api) {
  const all = parameters.map((one) => (one.$ref ? api.components.parameters[nameOf(one.$ref)] : one));
  if (all.length === 0) return [];
  const rows = all.map((one) => parameterRow(one.name, one, element('span', { class: 'place' }, one.in)));
  return [table(['Name', 'Type', 'Meaning'], rows)];
}

function showAnswer(status, { description, content, headers = {} }, api) {
  const names = Object.keys(headers);
  return [
    element('h4', {}, `Answer ${status}`),
    ...(content ? [] : [element('p', {}, ...inline(description))]),
    ...Object.entries(content ?? {}).flatMap(([mediaType, { schema }]) =>
      mediaType === 'application/json' ? fields(schema, api.components.schemas) : [element('p', {}, code(mediaType))],
    ),
    table(
      ['Header', 'Type', 'Meaning'],
      names.map((name) => parameterRow(name, { ...api.components.headers[name], required: true }, '')),
    ),
  ];
}

/** One row a status, with its codes. */
function refusals(responses) {
  const rows = Object.entries(responses).flatMap(([status, { content }]) => {
    const problem = content?.['application/problem+json'];
    if (!problem) return [];
    return [{ cells: [status, Object.keys(problem.examples).flatMap((name) => [codeLink(name), ' '])] }];
  });
  return rows.length === 0 ? [] : [table(['Status', 'Codes'], rows)];
}

function curl({ method, path, security, parameters }, body) {
  const required = parameters.filter((one) => one.in === 'query' && one.required).map(({ name }) => `${name}=…`);
  const url = location.origin + path + (required.length > 0 ? `?${required.join('&')}` : '');
  return [
    `curl ${method === 'GET' ? '' : `-X ${method} `}'${url}'`,
    ...(security.length > 0 ? [`  -H "Authorization: Bearer $TOKEN"`] : []),
    ...(body ? [`  -H 'content-type: application/json'`, `  -d '${JSON.stringify(body.example)}'`] : []),
  ].join(' \\\n');
}

function badge(method) {
  return element('span', { class: `method ${method.toLowerCase()}` }, method);
}
