// The first look at what a client sent: is it a frame at all. What its data must be is the handler's question.
import type { ClientFrame } from '../../schemas/wire.ts';

const MAX_REF_CHARACTERS = 200;
const KEYS = new Set(['event', 'data', 'ref']);

/** The frame, or null where the text is not a JSON object {event, data, ref?} with nothing else in it. */
export function parseFrame(text: string): ClientFrame | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // What is not JSON is not a frame: the caller says so to the client.
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  for (const key of Object.keys(value)) if (!KEYS.has(key)) return null;
  const { event, data, ref } = value as Record<string, unknown>;
  if (typeof event !== 'string' || !isRef(ref)) return null;
  return ref === undefined ? { event, data } : { event, data, ref };
}

function isRef(ref: unknown): ref is string | number | undefined {
  if (typeof ref === 'string') return ref.length <= MAX_REF_CHARACTERS;
  return ref === undefined || typeof ref === 'number';
}
