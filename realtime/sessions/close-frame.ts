// What transports without close codes say before they end a connection: the same as an error frame.
import { CLOSE_CODES, type CloseName } from '../../schemas/close-codes.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { type EncodedFrame, encodeFrame } from '../frames/encoded-frame.ts';

export function closeFrame(name: CloseName, afterMs: number): EncodedFrame {
  const { code, reason, reconnect } = CLOSE_CODES[name];
  const data = { code: name, message: reason, closeCode: code, reconnect, afterMs, event: null };
  return encodeFrame(SERVER_FRAMES.error, data);
}
