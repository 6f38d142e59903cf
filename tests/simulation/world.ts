// Everything that one run of the simulation consists of, and what befalls it.
import { type NewEvent, withMetadata } from '../../commands/chatroom/new-event.ts';
import { type EventLog, type LogRecord, LogUnavailableError } from '../../event-log/event-log.ts';
import { encodeAppend } from '../../event-log/kafka/record-batch.ts';
import { produceRequest } from '../../event-log/kafka/requests.ts';
import type { Ids } from '../../platform/ids.ts';
import { type Command, streamOfRoom } from '../../schemas/commands.ts';
import type { Actor } from '../../schemas/generated/events.ts';
import { testCodec } from '../support/write-side.ts';
import type { Answer } from './attempts.ts';
import { userOf } from './client.ts';
import { Judge } from './judge.ts';
import type { Mishap, Reading, Scenario } from './scenario.ts';
import { Schedule, SimulatedProcess } from './schedule.ts';
import { PRODUCE, SimulatedBroker } from './simulated-broker.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { openSimulatedLog, SimulatedNode, TOPIC } from './simulated-node.ts';
import { TrueLog } from './true-log.ts';

/** When the simulation's clock begins, in milliseconds since 1970 UTC. */
const START_MS = Date.UTC(2026, 0, 1);
const OPEN_ROOM = 'room-0';

export class World {
  readonly schedule: Schedule;
  readonly judge: Judge;
  readonly truth: TrueLog;
  /** How often what happened: what a run reaches. */
  readonly met = new Map<string, number>();
  readonly #broker: SimulatedBroker;
  readonly #network: SimulatedNetwork;
  readonly #ids: Ids;
  readonly #nodes: SimulatedNode[] = [];
  /** Dead ones too, because what they had under way must be let go of. */
  readonly #processes: SimulatedProcess[] = [];
  readonly #stopping: Promise<void>[] = [];
  #failure: string | null = null;
  #lastFaultAt = 0;
  #mayMishap = true;
  #started = 0;

  constructor({ scheduler, nodes, fates }: Scenario) {
    this.schedule = new Schedule(scheduler);
    this.truth = new TrueLog((what) => this.fail(what));
    this.judge = new Judge({ truth: this.truth, fail: (what) => this.fail(what) });
    this.#broker = new SimulatedBroker({
      topic: TOPIC,
      now: () => START_MS + this.schedule.nowMs,
      onAppended: (batch) => {
        this.schedule.note(`the log has [${batch.baseOffset}, ${batch.nextOffset})`);
        const voidBefore = this.truth.voidRecords;
        this.truth.append(batch);
        if (this.truth.voidRecords > voidBefore) this.#meet('void');
      },
    });
    this.#network = new SimulatedNetwork({
      schedule: this.schedule,
      broker: this.#broker,
      fates,
      onFault: (kind) => this.#fault(kind),
    });
    let made = 0;
    this.#ids = { next: () => `id-${made++}` };
    this.#writeFirstEvents();
    for (let index = 0; index < nodes; index++) this.#nodes.push(this.#startNode());
  }

  get nodes(): readonly SimulatedNode[] {
    return this.#nodes;
  }

  /** What went wrong first. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Steps since the last fault. */
  get calmSteps(): number {
    return this.schedule.steps - this.#lastFaultAt;
  }

  fail(what: string): void {
    this.#failure ??= what;
  }

  /** Gives a client's command to the node that has this number now. */
  call(number: number, command: Command): Promise<Answer | null> {
    return this.#nodeOf(number).call(this.judge.begin(command, this.schedule.steps));
  }

  /** One more node, which reads the log from its beginning. */
  addNode(): SimulatedNode {
    const node = this.#startNode();
    this.#nodes.push(node);
    return node;
  }

  /** Whether somebody was frozen, who is so no longer. */
  thawAll(): boolean {
    const frozen = this.#processes.filter(({ isFrozen }) => isFrozen);
    for (const process of frozen) process.thaw();
    return frozen.length > 0;
  }

  /** Resolves when all have happened, or faults have ended. */
  async runMishaps(mishaps: readonly Mishap[]): Promise<void> {
    for (const mishap of mishaps) {
      await this.schedule.turns(`mishap: ${mishap.kind}`, mishap.afterTurns + 1);
      if (!this.#mayMishap) return;
      this.#fault(mishap.kind);
      this.#befall(mishap);
    }
  }

  endFaults(): void {
    this.#mayMishap = false;
    this.#network.endFaults();
    this.thawAll();
  }

  /** Reads the log once and has it judged. */
  async runReading({ afterTurns, from }: Reading, who: string): Promise<void> {
    await this.schedule.turns(`${who} begins`, afterTurns + 1);
    const process = this.#startProcess(who);
    const log = openSimulatedLog(process, this.#network);
    const head = await untilAvailable(process, () => log.head(0));
    const start = from % (head + 1);
    const records: LogRecord[] = [];
    let next = start;
    while (next < head) {
      await untilAvailable(process, async () => {
        for await (const batch of log.read(0, next, head)) {
          records.push(...batch.records);
          next = batch.nextOffset;
        }
      });
    }
    this.#meet('reading');
    this.judge.readingIs(who, records, start, head);
  }

  /** The log as a process of that name has it. */
  openLog(who: string): EventLog {
    return openSimulatedLog(this.#startProcess(who), this.#network);
  }

  /** All nodes stop in order, those among them that stop already. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#stopping, ...this.#nodes.map((node) => node.stop())]);
  }

  /** Nothing happens any more. */
  close(): void {
    for (const process of this.#processes) process.kill();
  }

  #befall(mishap: Mishap): void {
    switch (mishap.kind) {
      case 'restart':
        this.#network.restart(mishap.done);
        break;
      case 'outage':
        this.#network.restart(mishap.done);
        this.#network.setDown(true);
        void this.schedule.turns('the broker is back', mishap.turns + 1).then(() => this.#network.setDown(false));
        break;
      case 'freeze': {
        const { process } = this.#nodeOf(mishap.node);
        process.freeze();
        void this.schedule.turns(`${process.name} thaws`, mishap.turns + 1).then(() => process.thaw());
        break;
      }
      case 'crash':
        this.#nodeOf(mishap.node).crash();
        this.#replace(mishap.node);
        break;
      case 'stop':
        this.#stopping.push(this.#nodeOf(mishap.node).stop());
        this.#replace(mishap.node);
        break;
      case 'leap':
        this.schedule.leapTo(this.schedule.nowMs + mishap.ms);
        for (const { process } of this.#nodes) void process.tick();
        break;
    }
  }

  #replace(number: number): void {
    this.#nodes[number % this.#nodes.length] = this.#startNode();
  }

  #nodeOf(number: number): SimulatedNode {
    const node = this.#nodes[number % this.#nodes.length];
    if (node === undefined) throw new Error('there is no node');
    return node;
  }

  #startNode(): SimulatedNode {
    const node = new SimulatedNode(`node-${this.#started++}`, {
      schedule: this.schedule,
      network: this.#network,
      ids: this.#ids,
      onFailure: (what) => this.fail(what),
      onMet: (what) => this.#meet(what),
      onTold: (attempt) => this.judge.told(attempt),
    });
    this.#processes.push(node.process);
    node.start();
    return node;
  }

  #startProcess(name: string): SimulatedProcess {
    const process = new SimulatedProcess(name, this.schedule);
    this.#processes.push(process);
    return process;
  }

  #fault(kind: string): void {
    this.#lastFaultAt = this.schedule.steps;
    this.#meet(kind);
  }

  #meet(what: string): void {
    this.met.set(what, (this.met.get(what) ?? 0) + 1);
  }

  /** A room with two members is there from the start, so that a short run is not all refusals. */
  #writeFirstEvents(): void {
    const [ada, bob] = [userOf(0), userOf(1)];
    const happened: [Actor, NewEvent][] = [
      [
        ada,
        { type: 'RoomCreated', roomId: OPEN_ROOM, spaceId: 'space', name: 'Name', description: '', isPrivate: false },
      ],
      [bob, { type: 'MemberJoined', roomId: OPEN_ROOM, ...bob, invitedBy: null }],
    ];
    const stream = streamOfRoom(OPEN_ROOM);
    const records = happened.map(([actor, event], index) => {
      const commandId = `first-${index}`;
      const command = {
        actor,
        onBehalfOf: null,
        isOperator: false,
        commandId,
        correlationId: commandId,
        now: START_MS,
      };
      const place = { stream, version: index + 1, eventId: this.#ids.next() };
      const body = { type: 'JoinRoom', roomId: OPEN_ROOM } as const;
      return { key: stream, value: testCodec.encode(withMetadata(event, { ...command, body }, place)) };
    });
    this.#broker.handle(PRODUCE, produceRequest(TOPIC, 0, encodeAppend(records, 0, START_MS), 0).encode());
  }
}

async function untilAvailable<Value>(process: SimulatedProcess, attempt: () => Promise<Value>): Promise<Value> {
  while (true) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof LogUnavailableError)) throw error;
      await process.time.pause(1);
    }
  }
}
