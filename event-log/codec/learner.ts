// Learns schemas that newer nodes write with. Failed look-ups are remembered for a while, because a topic with a record of an id
// that nobody has registered would otherwise ask the registry again and again.
import type { Clock } from '../../platform/clock.ts';
import type { Decoders } from './decoders.ts';
import type { SchemaSource } from './schema-source.ts';

export type LearnerDeps = { source: SchemaSource; decoders: Decoders; clock: Clock };

/** Milliseconds for which an id without a schema stays one. */
const MISSING_MS = 30_000;
/** Ids learnt or found missing that are kept; beyond, the oldest is forgotten and would be asked for again. */
const MAX_LEARNT_IDS = 1_000;

export class Learner {
  readonly #deps: LearnerDeps;
  readonly #learnt = new Set<number>();
  readonly #asking = new Map<number, Promise<void>>();

  constructor(deps: LearnerDeps) {
    this.#deps = deps;
  }

  /** Who asks for an id that is being asked for waits for the same answer. Throws SchemaSourceError. */
  learn(schemaId: number): Promise<void> {
    const asking = this.#asking.get(schemaId) ?? this.#ask(schemaId).finally(() => this.#asking.delete(schemaId));
    this.#asking.set(schemaId, asking);
    return asking;
  }

  async #ask(schemaId: number): Promise<void> {
    const { source, decoders, clock } = this.#deps;
    const schema = await source.find(schemaId);
    const missingUntil = clock.now() + MISSING_MS;
    if (schema) decoders.add(schemaId, schema);
    else decoders.addMissing(schemaId, () => clock.now() < missingUntil);
    this.#learnt.delete(schemaId);
    this.#learnt.add(schemaId);
    const [oldest] = this.#learnt;
    if (this.#learnt.size <= MAX_LEARNT_IDS || oldest === undefined) return;
    this.#learnt.delete(oldest);
    decoders.remove(oldest);
  }
}
