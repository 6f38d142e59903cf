// What `ws` says of a client that breaks the protocol, as the close code that it sends by itself. Its codes: ws/doc/ws.md.
import type { CloseName } from '../../schemas/close-codes.ts';

const NAMES: Record<string, CloseName> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 'frameTooBig',
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 'frameTooBig',
  WS_ERR_INVALID_UTF8: 'invalidText',
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 'tooManyPieces',
};

/** Null where the network broke, which has no close code. */
export function closeNameOfFault(error: Error): CloseName | null {
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string' || !code.startsWith('WS_ERR_')) return null;
  return NAMES[code] ?? 'protocolError';
}
