// Drives a whole import: lines become steps, the schedule says which may start, joins and leaves go over REST, messages over the
// socket. Everything is pulled by answers, so the server sets the pace and what is in memory is bounded by the window.
import type { ChatLine } from './chat-file.ts';
import { MessageSocket } from './message-socket.ts';
import type { MembershipStep, Planner, Step } from './planner.ts';
import { insist, RefusedError, type RestClient } from './rest-client.ts';
import { GivingUpError, isHopeless } from './retry.ts';
import { Schedule } from './schedule.ts';

export type ImportDeps = {
  lines: AsyncIterable<ChatLine[]>;
  planner: Planner;
  rest: RestClient;
  wsUrl: URL;
  token: string;
  /** Lines that may be under way at once. */
  window: number;
  /** REST calls that may be under way at once. */
  restInFlight: number;
  firstLine: number;
  linesThere: ReadonlySet<number>;
};

export type ImportCounts = {
  messages: number;
  memberships: number;
  refusedByCode: Map<string, number>;
  /** All lines before this one are done. */
  linesDone: number;
};

export type ImportResult = ImportCounts & { lostReplies: number; misplaced: number };

export class ImportRun {
  readonly #deps: ImportDeps;
  readonly #schedule: Schedule;
  readonly #socket: MessageSocket;
  readonly #counts: Omit<ImportCounts, 'linesDone'> = { messages: 0, memberships: 0, refusedByCode: new Map() };
  #restInFlight = 0;
  #stopping = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(deps: ImportDeps) {
    this.#deps = deps;
    this.#schedule = new Schedule(deps.window, deps.firstLine);
    this.#socket = new MessageSocket({
      url: deps.wsUrl,
      token: deps.token,
      onSettled: (step, refusal) => this.#settle(step, refusal),
      onReady: () => this.#pump(),
      onFailure: (error) => this.#fail(error),
    });
  }

  get counts(): ImportCounts {
    return { ...this.#counts, linesDone: this.#schedule.firstOpenLine };
  }

  /** Resolves when the file is through, or after stop() when all that was started is answered. Rejects when it cannot go on. */
  async run(): Promise<ImportResult> {
    await this.#socket.open();
    try {
      for await (const batch of this.#deps.lines) {
        for (const line of batch) await this.#take(line);
        if (this.#isEnding) break;
      }
      await this.#until(
        () => this.#failure !== null || (this.#stopping ? this.#nothingStarted : this.#schedule.isEmpty),
      );
    } finally {
      this.#socket.close();
    }
    if (this.#failure !== null) throw this.#failure;
    const { lostReplies } = this.#deps.planner;
    return { ...this.counts, lostReplies, misplaced: this.#socket.misplaced };
  }

  /** Starts nothing new; run() resolves when what was started is answered. */
  stop(): void {
    this.#stopping = true;
    this.#wake?.();
  }

  get #isEnding(): boolean {
    return this.#stopping || this.#failure !== null;
  }

  get #nothingStarted(): boolean {
    return this.#restInFlight === 0 && this.#socket.isIdle;
  }

  async #take(line: ChatLine): Promise<void> {
    const steps = this.#deps.planner.plan(line);
    if (line.line < this.#deps.firstLine) return;
    if (!this.#schedule.hasRoom) await this.#until(() => this.#schedule.hasRoom || this.#isEnding);
    if (this.#isEnding) return;
    const there = this.#deps.linesThere.has(line.line);
    this.#schedule.add(line.line, there ? [] : steps);
    this.#pump();
  }

  #pump(): void {
    while (!this.#isEnding && this.#restInFlight < this.#deps.restInFlight) {
      const step = this.#schedule.takeMembership();
      if (step === undefined) break;
      this.#restInFlight += 1;
      void this.#changeMembership(step);
    }
    while (!this.#isEnding && this.#socket.canSend) {
      const step = this.#schedule.takeMessage();
      if (step === undefined) break;
      this.#socket.send(step);
    }
  }

  /** Never rejects: what it cannot do is a refusal to be counted, or the failure of the run. */
  async #changeMembership(step: MembershipStep): Promise<void> {
    const onBehalfOf = { userId: step.user, username: step.user };
    const body = { chatroomId: step.roomId, commandId: step.commandId, onBehalfOf };
    let refusal: string | null = null;
    try {
      await insist(`line ${step.line + 1}, ${step.kind}`, () =>
        this.#deps.rest.post(`/api/v1/chatroom/${step.kind}`, body),
      );
    } catch (error) {
      if (!(error instanceof RefusedError) || isHopeless(error.code)) {
        this.#restInFlight -= 1;
        this.#fail(error instanceof Error ? error : new GivingUpError(String(error)));
        return;
      }
      refusal = error.code;
    }
    this.#restInFlight -= 1;
    this.#settle(step, refusal);
  }

  #settle(step: Step, refusal: string | null): void {
    const { refusedByCode } = this.#counts;
    if (refusal !== null) refusedByCode.set(refusal, (refusedByCode.get(refusal) ?? 0) + 1);
    else if (step.kind === 'message') this.#counts.messages += 1;
    else this.#counts.memberships += 1;
    this.#schedule.done(step);
    this.#pump();
    this.#wake?.();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#wake = null;
  }
}
