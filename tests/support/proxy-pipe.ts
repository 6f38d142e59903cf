// One direction of one connection through the proxy (tcp-proxy.ts): what is written comes out in order, late by the delay of that
// moment, and not at all while it is swallowed or held.
import type { Socket } from 'node:net';

export type Direction = 'requests' | 'answers';

export type ProxyPipeDeps = {
  to: Socket;
  delayMs: () => number;
  mode: ProxyPipe['mode'];
  /** Breaks the connection, once what was written to both sides has left. */
  cut: () => void;
};

type Delivery = { dueAt: number; deliver: () => void };

export class ProxyPipe {
  /** `cut`: half of what is written next arrives, then the connection breaks. */
  mode: 'pass' | 'swallow' | 'hold' | 'cut';
  /** Something was swallowed, so what would follow makes no sense to who reads it. */
  hasLost = false;
  readonly #deps: ProxyPipeDeps;
  readonly #held: Buffer[] = [];
  readonly #late: Delivery[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: ProxyPipeDeps) {
    this.#deps = deps;
    this.mode = deps.mode;
  }

  write(chunk: Buffer): void {
    const { to, cut } = this.#deps;
    if (this.mode === 'swallow') this.hasLost = true;
    else if (this.mode === 'hold') this.#held.push(chunk);
    else if (this.mode === 'pass') this.#later(() => to.write(chunk));
    else {
      this.mode = 'swallow';
      this.#later(() => {
        to.write(chunk.subarray(0, Math.floor(chunk.length / 2)));
        cut();
      });
    }
  }

  /** The other side has gone: after all that is still to come this side learns of it. */
  end(): void {
    this.#later(() => this.#deps.to.destroySoon());
  }

  /** What was held leaves now, and what comes passes again. */
  flow(): void {
    this.mode = 'pass';
    for (const chunk of this.#held.splice(0)) this.write(chunk);
  }

  takeHeld(): Buffer {
    return Buffer.concat(this.#held.splice(0));
  }

  /* A queue, because the delay may become shorter while something is on its way, which must not be overtaken. */
  #later(deliver: () => void): void {
    const dueAt = performance.now() + this.#deps.delayMs();
    if (this.#late.length === 0 && this.#deps.delayMs() === 0) {
      deliver();
      return;
    }
    this.#late.push({ dueAt, deliver });
    this.#arm();
  }

  #arm(): void {
    const [next] = this.#late;
    if (this.#timer !== undefined || next === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        while (this.#late[0] && this.#late[0].dueAt <= performance.now()) this.#late.shift()?.deliver();
        this.#arm();
      },
      Math.max(0, Math.ceil(next.dueAt - performance.now())),
    );
  }
}
