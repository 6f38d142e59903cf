/* When the tokens of this node's sockets end: a warning before, the close at the end. One for all kinds of sockets.
 *
 * No timer for each, and no look at everybody every second: whoever is to be warned hangs on the spoke of that second, modulo
 * SPOKES. So every second one spoke is looked at, which has those of other rounds on it too, and a socket costs one entry in a set
 * and one look a minute. Who has been warned is looked at every second; those are the ones of the last minute only.
 */
import type { Identity } from '../../platform/auth.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { encodeFrame } from '../frames/encoded-frame.ts';
import type { Transport } from './transport.ts';

export type TokenHolder = { readonly identity: Identity; readonly transport: Transport };

const SPOKES = 64;
const SECOND_MS = 1_000;

export class TokenClock {
  readonly #now: () => number;
  readonly #spokes = Array.from({ length: SPOKES }, () => new Set<TokenHolder>());
  readonly #warned = new Set<TokenHolder>();
  /** The second that was looked at last. */
  #second: number;

  constructor(deps: { now: () => number }) {
    this.#now = deps.now;
    this.#second = Math.floor(deps.now() / SECOND_MS);
  }

  /** Warns at once where less than LIMITS.tokenWarningMs is left. Before the holder's identity changes, `remove` it. */
  add(holder: TokenHolder): void {
    if (warnAt(holder) <= this.#now()) this.#warn(holder);
    else this.#spokeOf(holder)?.add(holder);
  }

  remove(holder: TokenHolder): void {
    this.#warned.delete(holder);
    this.#spokeOf(holder)?.delete(holder);
  }

  /** Once a second; seconds that were missed are made up for. */
  tick(): void {
    const now = this.#now();
    const second = Math.floor(now / SECOND_MS);
    // One round at most, and a whole one after a clock that was put back: then nobody is where this second expects them.
    const from = second < this.#second ? second - SPOKES : Math.max(this.#second, second - SPOKES);
    for (let due = from + 1; due <= second; due++) {
      const spoke = this.#spokes[due % SPOKES] ?? [];
      for (const holder of spoke) if (warnAt(holder) <= now) this.#warn(holder);
    }
    this.#second = second;
    for (const { identity, transport } of this.#warned) {
      if (now >= identity.expiresAt) transport.close('tokenExpired');
    }
  }

  #warn(holder: TokenHolder): void {
    this.#spokeOf(holder)?.delete(holder);
    this.#warned.add(holder);
    const { expiresAt } = holder.identity;
    const data = { expiresAt: new Date(expiresAt).toISOString(), inMs: Math.max(0, expiresAt - this.#now()) };
    holder.transport.send(encodeFrame(SERVER_FRAMES.tokenExpiring, data));
  }

  /** That of the first full second at which the holder is due. A token without an end that a clock can reach has none. */
  #spokeOf(holder: TokenHolder): Set<TokenHolder> | undefined {
    return this.#spokes[Math.ceil(warnAt(holder) / SECOND_MS) % SPOKES];
  }
}

function warnAt({ identity }: TokenHolder): number {
  return identity.expiresAt - LIMITS.tokenWarningMs;
}
