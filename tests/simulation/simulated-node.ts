// A process that believes it owns the partition: the product's own PartitionOwner over its own Kafka adapter, in a simulated
// process on a simulated network. Several of them believe so at a time.
import { Registry } from 'prom-client';
import { createCommandMetrics } from '../../commands/metrics.ts';
import { PartitionOwner } from '../../commands/partition-owner.ts';
import type { EventLog } from '../../event-log/event-log.ts';
import { KafkaAppender } from '../../event-log/kafka/kafka-appender.ts';
import { KafkaReader } from '../../event-log/kafka/kafka-reader.ts';
import type { Ids } from '../../platform/ids.ts';
import { createLogger } from '../../platform/logger.ts';
import type { Command } from '../../schemas/commands.ts';
import { isRejection } from '../../schemas/rejections.ts';
import { testCodec } from '../support/write-side.ts';
import { type Answer, type Attempt, isDefinite } from './attempts.ts';
import { type Schedule, SimulatedProcess } from './schedule.ts';
import type { SimulatedNetwork } from './simulated-network.ts';

export const TOPIC = 'simulated';
/** Milliseconds. Time-outs of the appender are by the clock on the wall, and none is to happen: the network tells what they tell. */
/** The simulated broker never fails inside. */
const NONE_FAILED = { has: () => false, add: () => undefined };
const NEVER_MS = 2_000_000_000;
/** Milliseconds of the simulation's clock. */
const READ_TIMEOUT_MS = 2_000;

export type Met = 'conflict' | 'landed' | 'notLanded' | 'accepted' | 'nothingToDo' | 'refused' | 'unknown';

export type NodeDeps = {
  schedule: Schedule;
  network: SimulatedNetwork;
  ids: Ids;
  /** Told when owning the partition ends otherwise than by stop(). */
  onFailure: (what: string) => void;
  /** Told of what the owner met: for knowing what a simulation reaches. */
  onMet: (what: Met) => void;
  /** Told of every answer at the moment it is given. */
  onTold: (attempt: Attempt) => void;
};

const silent = createLogger('simulation', 'silent');
const metrics = createCommandMetrics(new Registry());

export class SimulatedNode {
  readonly process: SimulatedProcess;
  readonly #deps: NodeDeps;
  readonly #owner: PartitionOwner;
  readonly #abandon = new Set<() => void>();

  constructor(name: string, deps: NodeDeps) {
    this.#deps = deps;
    this.process = new SimulatedProcess(name, deps.schedule);
    this.#owner = new PartitionOwner(0, {
      log: openSimulatedLog(this.process, deps.network),
      codec: testCodec,
      ids: deps.ids,
      logger: silent,
      metrics: {
        ...metrics,
        conflicted: () => deps.onMet('conflict'),
        settled: (hasLanded) => deps.onMet(hasLanded ? 'landed' : 'notLanded'),
        streamBroke: () => deps.onFailure(`${name} calls a stream broken`),
      },
      written: null,
      snapshots: null,
      time: this.process.time,
    });
  }

  start(): void {
    this.#owner.run().catch((error: unknown) => {
      if (!this.process.isDead) this.#deps.onFailure(`${this.process.name} failed: ${String(error)}`);
    });
  }

  /** Gives it the command. Null: it died, and its client has seen the connection break. */
  call(attempt: Attempt): Promise<Answer | null> {
    const { schedule, onMet, onTold } = this.#deps;
    const { name } = this.process;
    const { commandId } = attempt.command;
    return new Promise((resolve) => {
      const abandon = (): void => {
        attempt.endedAt = schedule.steps;
        resolve(null);
      };
      this.#abandon.add(abandon);
      void this.process.turn(`takes ${commandId}`).then(async () => {
        const answer = await this.#owner.execute(attempt.command);
        if (!this.#abandon.delete(abandon)) return;
        attempt.endedAt = schedule.steps;
        attempt.answer = answer;
        schedule.note(`${name} answers ${commandId}: ${JSON.stringify(answer)}`);
        onMet(whatWasTold(answer));
        onTold(attempt);
        await schedule.turn(`${commandId} hears from ${name}`);
        resolve(answer);
      });
    });
  }

  /** The same without a network between: for who asks many things at the end of a run. */
  ask(command: Command): Promise<Answer> {
    return this.#owner.execute(command);
  }

  /** Nothing more happens in it. What it has sent is on its way. */
  crash(): void {
    this.process.kill();
    for (const abandon of this.#abandon) abandon();
    this.#abandon.clear();
  }

  async stop(): Promise<void> {
    await this.process.turn('is to stop');
    await this.#owner.stop();
  }
}

function whatWasTold(answer: Answer): Met {
  if (!isRejection(answer)) return answer.changed ? 'accepted' : 'nothingToDo';
  return isDefinite(answer) ? 'refused' : 'unknown';
}

/** The event log as a process has it. */
export function openSimulatedLog(process: SimulatedProcess, network: SimulatedNetwork): EventLog {
  const appender = new KafkaAppender([network.connectionsOf(process)], TOPIC, NEVER_MS, NONE_FAILED);
  const reader = new KafkaReader(network.connectionsOf(process), TOPIC, READ_TIMEOUT_MS, process.time);
  return {
    partitions: 1,
    append: (partition, expectedOffset, records) => appender.append(partition, expectedOffset, records),
    barrier: (partition) => appender.barrier(partition),
    head: (partition) => reader.head(partition),
    offsetAt: (partition, timeMs) => reader.offsetAt(partition, timeMs),
    read: (partition, from, to) => reader.read(partition, from, to),
    inspect: (partition, from, to) => reader.inspect(partition, from, to),
    follow: () => {
      throw new Error('nothing in the simulation follows the log');
    },
    close: () => Promise.resolve(),
  };
}
