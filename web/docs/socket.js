// The protocol of the socket as a page, made of its AsyncAPI document.

import { closeCodes, errorCodes } from './codes.js';
import { beside, code, codeLink, element, example, inline, link, prose, show } from './elements.js';
import { fields, namedSchemas, nameOf } from './schemas.js';

void show('../api/v1/asyncapi.json', (api) => {
  const { messages, schemas, securitySchemes } = api.components;
  const operations = Object.entries(api.operations).map(([id, operation]) => ({ id, ...operation }));
  const received = operations.filter(({ action }) => action === 'receive');
  const sent = operations.filter(({ action }) => action === 'send');
  const [server] = Object.values(api.servers);
  const entries = (list) => list.map(({ id, title }) => [id, code(title)]);
  return {
    groups: [
      ['Frames to the service', entries(received)],
      ['Frames from the service', entries(sent)],
      ['Shapes', Object.keys(schemas).map((name) => [`schema-${name}`, name])],
      [
        'Codes',
        [
          ['close-codes', 'Close codes'],
          ['codes', 'Error codes'],
        ],
      ],
    ],
    parts: [
      element('h1', {}, `${api.info.title}: the socket`),
      ...prose(api.info.description),
      element('h2', {}, 'Connecting'),
      element('p', {}, code(`${server.protocol}://${server.host}/`), ' ', ...inline(server.description)),
      element('p', {}, 'A token is needed. ', ...inline(securitySchemes.token.description)),
      element('h2', {}, 'Frames to the service'),
      ...received.map((operation) => showReceived(operation, messages, schemas)),
      element('h2', {}, 'Frames from the service'),
      ...sent.map((operation) => showSent(operation, messages, schemas)),
      element('h2', {}, 'Shapes'),
      ...namedSchemas(schemas),
      element('h2', { id: 'close-codes' }, 'Close codes'),
      closeCodes(api['x-close-codes']),
      element('h2', { id: 'codes' }, 'Error codes'),
      errorCodes(api['x-error-codes']),
    ],
  };
});

function showReceived(operation, messages, schemas) {
  const [message] = operation.messages.map(({ $ref }) => messages[nameOf($ref)]);
  const [answer] = operation.reply.messages.map(({ $ref }) => messages[nameOf($ref)]);
  const codes = operation['x-error-codes'];
  return article(
    operation,
    [
      element('h4', {}, 'Data'),
      ...fields(message.payload.properties.data, schemas),
      element('h4', {}, 'Answer'),
      ...fields(answer.payload.properties.data, schemas),
      element('h4', {}, 'Refused with'),
      element('p', { class: 'codes' }, ...codes.flatMap((name) => [codeLink(name), ' '])),
    ],
    [...examples('Frame', message), ...examples('Answer', answer)],
  );
}

function showSent(operation, messages, schemas) {
  const [message] = operation.messages.map(({ $ref }) => messages[nameOf($ref)]);
  return article(
    operation,
    [element('h4', {}, 'Data'), ...fields(message.payload.properties.data, schemas)],
    examples('Frame', message),
  );
}

function article({ id, title, summary }, left, right) {
  return element(
    'article',
    { id },
    element('h3', {}, link(`#${id}`, code(title))),
    element('p', {}, ...inline(summary)),
    beside(left, right),
  );
}

/** On one line each, as they go over the socket, where they are short enough. */
function examples(title, message) {
  return message.examples.map(({ payload }) => example(title, payload));
}
