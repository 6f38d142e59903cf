// Runs the projections in a thread of this process (worker.ts is the other end) and makes them look like a role of it.
import { Worker } from 'node:worker_threads';
import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { EventLogSettings } from '../event-log/config.ts';
import type { runChecks } from '../platform/http-app.ts';
import type { Role } from '../platform/role.ts';
import type { ProjectionsSettings } from './role.ts';

export type ThreadSettings = {
  eventLog: EventLogSettings;
  databaseUrl: string;
  /** Null: the hot cache is in the memory of the main thread, which keeps it itself. */
  redis: { host: string; port: number } | null;
  logTopic: string;
  /** Whether the history of other processes' partitions is theirs to project; else all of it is this one's. */
  sharesPartitions: boolean;
  projections: ProjectionsSettings;
  logLevel: string;
  logTo: 'stdout' | 'stderr';
};

export type ThreadMetrics = MetricObjectWithValues<MetricValue<string>>[];
type Checks = Awaited<ReturnType<typeof runChecks>>;

export type ThreadQuestion = { id: number; kind: 'ready' | 'metrics' | 'stop' };
export type ThreadAnswer =
  | { kind: 'up'; checks: string[] }
  | { kind: 'ready'; id: number; checks: Checks }
  | { kind: 'metrics'; id: number; metrics: ThreadMetrics }
  | { kind: 'stop'; id: number };

/** The thread has ended although nobody stopped it; what it ended of is in the log. */
class ThreadEndedError extends Error {
  override readonly name = 'ThreadEndedError';
  readonly code = 'thread_ended';
  readonly retryable = false;
}

/** How long the thread may take to answer a question, in milliseconds; stopping has the lifecycle's own bound. */
const ANSWER_MS = 2_000;

export class ProjectionsThread {
  readonly #worker: Worker;
  readonly #asked = new Map<number, { resolve: (answer: ThreadAnswer) => void; reject: (error: Error) => void }>();
  readonly #up = Promise.withResolvers<string[]>();
  readonly #ended = Promise.withResolvers<void>();
  #nextId = 1;
  #isStopping = false;
  #fault: Error | undefined;

  constructor(settings: ThreadSettings) {
    // Both are reported by whoever awaits open() and run(), who may come later than the failure.
    this.#up.promise.catch(() => undefined);
    this.#ended.promise.catch(() => undefined);
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: settings });
    this.#worker.on('message', (answer: ThreadAnswer) => this.#receive(answer));
    this.#worker.on('error', (error: Error) => this.#end(error));
    this.#worker.on('exit', (code) =>
      this.#end(new ThreadEndedError(`the thread of the projections ended with ${code}`)),
    );
  }

  /** The role, once the thread is up. Throws what kept it from coming up. */
  async open(): Promise<Role> {
    const names = await this.#up.promise;
    const ready = names.map((name) => [name, () => this.#check(name)] as const);
    return { name: 'projections', routes: [], ready: Object.fromEntries(ready) };
  }

  /** Resolves after stop(). Rejects when the thread ends by itself. */
  run(): Promise<void> {
    return this.#ended.promise;
  }

  /** Lets the thread finish the chunk it writes and close its connections. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#fault === undefined) await this.#ask('stop', Number.POSITIVE_INFINITY);
    await this.#worker.terminate();
  }

  /** The thread's own metrics. */
  async metrics(): Promise<ThreadMetrics> {
    const answer = await this.#ask('metrics', ANSWER_MS);
    return answer.kind === 'metrics' ? answer.metrics : [];
  }

  async #check(name: string): Promise<string | undefined> {
    const answer = await this.#ask('ready', ANSWER_MS);
    const check = answer.kind === 'ready' ? answer.checks[name] : undefined;
    if (check === undefined) throw new Error('the thread of the projections does not know this check');
    if (!check.ok) throw new Error(check.error);
    return check.note;
  }

  async #ask(kind: ThreadQuestion['kind'], timeoutMs: number): Promise<ThreadAnswer> {
    if (this.#fault !== undefined) throw this.#fault;
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<ThreadAnswer>();
    this.#asked.set(id, { resolve, reject });
    const late = () => reject(new Error(`no answer within ${timeoutMs} ms`));
    const timer = Number.isFinite(timeoutMs) ? setTimeout(late, timeoutMs) : undefined;
    this.#worker.postMessage({ id, kind } satisfies ThreadQuestion);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#asked.delete(id);
    }
  }

  #receive(answer: ThreadAnswer): void {
    if (answer.kind === 'up') this.#up.resolve(answer.checks);
    else this.#asked.get(answer.id)?.resolve(answer);
  }

  #end(fault: Error): void {
    this.#fault ??= fault;
    for (const { reject } of this.#asked.values()) reject(this.#fault);
    this.#up.reject(this.#fault);
    if (this.#isStopping) this.#ended.resolve();
    else this.#ended.reject(this.#fault);
  }
}
