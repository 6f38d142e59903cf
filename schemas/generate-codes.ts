// What `npm run generate` makes of the codes: the table for people, docs/codes.md, and the one of the plain page, web/codes.js, which
// has to know when to come back also while no server answers.
import { type CodesDocument, codesDocument } from './codes-document.ts';

/** The text of docs/codes.md. */
export function generateCodesPage(document: CodesDocument = codesDocument()): string {
  const closes = Object.entries(document.closeCodes).map(([code, { name, reconnect, afterMs, reason }]) =>
    row(code, `\`${name}\``, reconnect ? `after ${afterMs} ms` : 'no', reason),
  );
  const errors = Object.entries(document.errorCodes).map(([code, { status, retry, afterMs, title }]) =>
    row(`\`${code}\``, String(status), retry ? `after ${afterMs} ms` : 'no', title),
  );
  return [
    '# Close codes and error codes',
    `Made by \`npm run generate\` from \`schemas/close-codes.ts\` and \`schemas/rejections.ts\`. For programs:
\`GET /api/v1/codes.json\`, \`{closeCodes, errorCodes}\`, keyed by code.`,
    '## Close codes of the socket',
    `*Come back*: whether a reconnect with the same token can help, and how long to wait at least. Wait a random while more, and longer
from one failure to the next. A \`draining\` frame that came before says how long to wait instead. A code that is not here (a
broken network shows as 1006) is worth a reconnect.`,
    table(['code', 'name', 'come back', 'why'], closes),
    '## Error codes',
    `The \`code\` of a REST problem, of \`{ref, error}\`, and of an \`error\` frame. *Try again*: whether the same request, with the same
\`commandId\`, can succeed without anything being changed, and how long to wait at least where the answer itself (\`Retry-After\`,
\`retryAfterMs\`) does not say it. Where it says no, the request, the token or the room has to change first.`,
    table(['code', 'status', 'try again', 'meaning'], errors),
    '',
  ].join('\n\n');
}

/** The text of web/codes.js. */
export function generateWebCodes(document: CodesDocument = codesDocument()): string {
  const rules = Object.entries(document.closeCodes).map(
    ([code, { reconnect, afterMs }]) => `  ${code}: { reconnect: ${reconnect}, afterMs: ${afterMs} },`,
  );
  return [
    '// Made by `npm run generate` from schemas/close-codes.ts. Do not edit. Whether to come back after a close code, and how long to wait.',
    '/** @type {Record<number, {reconnect: boolean, afterMs: number}>} */',
    'export const CLOSE_CODES = {',
    ...rules,
    '};',
    '',
  ].join('\n');
}

function table(head: string[], rows: string[]): string {
  return [row(...head), `|${head.map(() => '---|').join('')}`, ...rows].join('\n');
}

function row(...cells: string[]): string {
  return `| ${cells.join(' | ')} |`;
}
