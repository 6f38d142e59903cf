// What lies between the processes and the broker: requests and answers that take their time, get lost, arrive late or twice, and
// connections that break. What becomes of a request is its fate, drawn beforehand; when, the schedule says.
import { LogUnavailableError } from '../../event-log/event-log.ts';
import type { LeaderConnections } from '../../event-log/kafka/kafka-connections.ts';
import type { KafkaRequest } from '../../event-log/kafka/requests.ts';
import type { Fate } from './scenario.ts';
import type { Schedule, SimulatedProcess } from './schedule.ts';
import { PRODUCE, type SimulatedBroker } from './simulated-broker.ts';

type Connection = { isBroken: boolean };

/** A request under way. `hasArrived`: it arrives no more, having done so or being lost. It ends once: with an answer's bytes, or with null where none will come. */
type Flight = {
  what: string;
  process: SimulatedProcess;
  apiKey: number;
  bytes: Buffer;
  hasArrived: boolean;
  end: (answer: Buffer | null) => void;
};

export type NetworkDeps = {
  schedule: Schedule;
  broker: SimulatedBroker;
  /** Of the requests, in the order they are sent; later ones simply arrive. */
  fates: readonly Fate[];
  /** Told of every fault. */
  onFault: (kind: Fate['kind']) => void;
};

const ARRIVES: Fate = { kind: 'arrives' };

export class SimulatedNetwork {
  readonly #deps: NetworkDeps;
  readonly #flights = new Set<Flight>();
  readonly #connections = new Set<Connection>();
  #fates: Fate[];
  #isDown = false;

  constructor(deps: NetworkDeps) {
    this.#deps = deps;
    this.#fates = deps.fates.toReversed();
  }

  /** A use of its own: one request at a time, and after trouble a connection of its own. */
  connectionsOf(process: SimulatedProcess): LeaderConnections {
    let current: Connection | undefined;
    return {
      toLeader: async () => {
        if (current === undefined || current.isBroken) current = await this.#connect(process);
        const connection = current;
        return {
          send: (request) => this.#send(process, request),
          retire: () => {
            connection.isBroken = true;
            this.#connections.delete(connection);
          },
        };
      },
    };
  }

  /** Every connection breaks. Of the requests that have not arrived, those whose bit is set in `done` are done first. */
  restart(done: number): void {
    for (const connection of this.#connections) connection.isBroken = true;
    this.#connections.clear();
    for (const [index, flight] of [...this.#flights].entries()) {
      if (!flight.hasArrived && (done >> (index % 8)) & 1) this.#deps.broker.handle(flight.apiKey, flight.bytes);
      flight.hasArrived = true;
      void this.#breakOff(flight);
    }
  }

  /** Whether connecting fails. */
  setDown(isDown: boolean): void {
    this.#isDown = isDown;
  }

  /** From now on every request arrives. */
  endFaults(): void {
    this.#fates = [];
    this.#isDown = false;
  }

  async #connect(process: SimulatedProcess): Promise<Connection> {
    // A dead process gets an answer too: the product holds a timer while it connects, which would keep the tests from ending.
    await Promise.race([process.turn('connects'), process.died]);
    if (this.#isDown || process.isDead) throw new LogUnavailableError('the broker is down');
    const connection = { isBroken: false };
    this.#connections.add(connection);
    return connection;
  }

  #send<Answer>(process: SimulatedProcess, request: KafkaRequest<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const flight: Flight = {
        what: `${process.name} ${request.apiName}`,
        process,
        apiKey: request.apiKey,
        bytes: request.encode(),
        hasArrived: false,
        end: (answer) => {
          if (!this.#flights.delete(flight)) return;
          if (answer) resolve(request.decode(answer).answer);
          else reject(new Error('no answer came'));
        },
      };
      this.#flights.add(flight);
      void this.#carry(flight, this.#fates.pop() ?? ARRIVES);
    });
  }

  async #carry(flight: Flight, fate: Fate): Promise<void> {
    const { broker, schedule, onFault } = this.#deps;
    if (fate.kind !== 'arrives') {
      schedule.note(`${flight.what}: ${fate.kind}`);
      onFault(fate.kind);
    }
    switch (fate.kind) {
      case 'arrives':
        return await this.#answer(flight, () => broker.handle(flight.apiKey, flight.bytes));
      case 'requestLost':
        flight.hasArrived = true;
        return await this.#breakOff(flight);
      case 'answerLost':
        await this.#answer(flight, () => {
          broker.handle(flight.apiKey, flight.bytes);
          return null;
        });
        return;
      case 'late':
        this.#deliverAgain(flight, fate.turns);
        flight.hasArrived = true;
        return await this.#breakOff(flight);
      case 'duplicated':
        this.#deliverAgain(flight, fate.turns);
        return await this.#answer(flight, () => broker.handle(flight.apiKey, flight.bytes));
      case 'error':
        return await this.#answer(flight, () => {
          if (fate.isDone) broker.handle(flight.apiKey, flight.bytes);
          return broker.refuse(flight.apiKey, fate.code);
        });
    }
  }

  /** The request takes a turn to arrive, and what it is answered with one more. */
  async #answer(flight: Flight, handle: () => Buffer | null): Promise<void> {
    await this.#deps.schedule.turn(`${flight.what} arrives`);
    if (flight.hasArrived) return;
    flight.hasArrived = true;
    const answer = handle();
    await flight.process.turn(answer ? 'gets an answer' : 'waits no longer for an answer');
    flight.end(answer);
  }

  async #breakOff(flight: Flight): Promise<void> {
    await flight.process.turn('waits no longer for an answer');
    flight.end(null);
  }

  /** Only what writes makes a difference. */
  #deliverAgain({ what, apiKey, bytes }: Flight, turns: number): void {
    if (apiKey !== PRODUCE) return;
    const { broker, schedule } = this.#deps;
    void schedule.turns(`${what} arrives late`, turns + 1).then(() => broker.handle(apiKey, bytes));
  }
}
