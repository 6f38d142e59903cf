// Every close code and every error code as one document, keyed by what a client has in its hand: the number of a close event, the
// `code` of an answer. Served as /api/v1/codes.json; docs/codes.md and web/codes.js are made of it.
import { CLOSE_CODES, type CloseName } from './close-codes.ts';
import { REJECTIONS, type RejectionRule } from './rejections.ts';

export type CodesDocument = {
  closeCodes: Record<string, { name: CloseName; reconnect: boolean; afterMs: number; reason: string }>;
  errorCodes: Record<string, RejectionRule>;
};

export const CODES_PATH = '/api/v1/codes.json';

export function codesDocument(): CodesDocument {
  const closes = Object.entries(CLOSE_CODES) as [CloseName, (typeof CLOSE_CODES)[CloseName]][];
  return {
    closeCodes: Object.fromEntries(closes.map(([name, { code, ...rule }]) => [String(code), { name, ...rule }])),
    errorCodes: REJECTIONS,
  };
}
