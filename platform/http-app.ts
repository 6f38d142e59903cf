// A Koa app as every role has it: problem+json for every error, CORS, security headers, a body limit, request ids, /health,
// /ready and /metrics. It knows no chat: the codes and their statuses are passed in.
import { createServer, type Server, type ServerResponse } from 'node:http';
import { bodyParser } from '@koa/bodyparser';
import cors from '@koa/cors';
import Koa from 'koa';
import helmet from 'koa-helmet';
import { Histogram } from 'prom-client';
import { uuidv7Ids } from './ids.ts';
import { withDeadline } from './lifecycle.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** A refusal on its way out of a route; the app turns it into problem+json. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: string;
  readonly detail: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    code: string,
    options: { detail?: string | undefined; retryAfterMs?: number | undefined; cause?: unknown } = {},
  ) {
    super(code, { cause: options.cause });
    this.code = code;
    this.detail = options.detail;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/**
 * Name of a dependency → a check that rejects, or throws, when it cannot be used. A text that it resolves with is shown as a
 * note: for what an operator should see although the role does its work.
 */
export type ReadyChecks = Record<string, () => Promise<unknown> | unknown>;

type CheckResult = { ok: boolean; note?: string; error?: string };

export type HttpAppOptions = {
  role: string;
  log: Logger;
  metrics: Metrics;
  /** The text of /metrics where it is more than those metrics. */
  metricsText?: (() => Promise<string>) | undefined;
  /** By code; `afterMs`: what Retry-After says where the problem itself does not. */
  problems: Record<string, { status: number; title: string; afterMs: number }>;
  /** Origins that browsers may call from; `*` allows all. Comma-separated. */
  frontendUrl: string;
  bodyLimitBytes: number;
  ready: ReadyChecks;
};

const READY_TIMEOUT_MS = 2_000;

/** The app without routes of its own: `app.use(router.routes())` adds them. */
export function createHttpApp(options: HttpAppOptions): Koa {
  const app = new Koa();
  app.silent = true;
  app.use(requestContext(options));
  app.use(problems(options));
  app.use(helmet({ contentSecurityPolicy: { directives: CONTENT_SECURITY_POLICY }, strictTransportSecurity: false }));
  app.use(cors({ origin: allowedOrigin(options.frontendUrl), exposeHeaders: EXPOSED_HEADERS, maxAge: 600 }));
  app.use(operations(options));
  app.use(onlyJson);
  app.use(
    bodyParser({
      enableTypes: ['json'],
      jsonLimit: options.bodyLimitBytes,
      onError: (error) => {
        throw new Problem((error as { status?: number }).status === 413 ? 'body_too_large' : 'malformed_json', {
          cause: error,
        });
      },
    }),
  );
  return app;
}

/** A connection whose request is slower than this is answered with 408 and ended: whoever dribbles bytes must not hold it for ever. */
const CONNECTION_LIMITS = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 1_000 };

/** Listens and resolves with the server once it does; rejects when the port is taken. */
export function listen(app: Koa, port: number, host?: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const handle = app.callback();
    // Koa answers every failure itself: what it returns never rejects.
    const server = createServer(CONNECTION_LIMITS, (request, response) => void handle(request, response));
    server.listen(port, host);
    server.once('listening', () => resolve(server));
    server.once('error', reject);
  });
}

/** Stops taking connections, lets requests in flight end, then closes what is left after `graceMs`. */
export function closeServer(server: Server, graceMs = 5_000): Promise<void> {
  return new Promise((resolve) => {
    // A client that sends one request after the other on a kept-alive connection would never be idle at the right moment.
    server.prependListener('request', (_request, response: ServerResponse) =>
      response.setHeader('Connection', 'close'),
    );
    const idle = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(timer);
      clearInterval(idle);
      resolve();
    });
    server.closeIdleConnections();
  });
}

const CLOSE_IDLE_EVERY_MS = 20;
const EXPOSED_HEADERS = ['Retry-After', 'x-request-id', 'x-cache', 'x-position', 'x-lag-events'];
const CONTENT_SECURITY_POLICY = {
  defaultSrc: ["'self'"],
  connectSrc: ["'self'", 'ws:', 'wss:', 'http:', 'https:'],
  imgSrc: ["'self'", 'data:'],
  styleSrc: ["'self'"],
  scriptSrc: ["'self'"],
  upgradeInsecureRequests: null,
};

function requestContext(options: HttpAppOptions): Koa.Middleware {
  const durations = new Histogram({
    name: `roomlog_${options.role.replaceAll('-', '_')}_http_seconds`,
    help: 'Duration of HTTP requests by method and status class.',
    labelNames: ['method', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [options.metrics],
  });
  return async (context, next) => {
    const given = context.get('x-request-id');
    const requestId = /^[\w.-]{1,64}$/.test(given) ? given : uuidv7Ids.next();
    context.state.requestId = requestId;
    context.set('x-request-id', requestId);
    const stop = durations.startTimer();
    await next();
    stop({ method: context.method, status: `${Math.floor(context.status / 100)}xx` });
  };
}

function problems(options: HttpAppOptions): Koa.Middleware {
  return async (context, next) => {
    try {
      await next();
      if (context.status === 404 && context.body === undefined) throw new Problem('not_found');
      if (context.status === 405 || context.status === 501) throw new Problem('method_not_allowed');
    } catch (error) {
      writeProblem(context, toProblem(error), options);
      if (context.status >= 500 && !(error instanceof Problem)) {
        options.log.error({ err: error, requestId: context.state.requestId, path: context.path }, 'a request failed');
      }
    }
  };
}

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const fault = error as { code?: unknown; retryable?: unknown };
  if (fault.code === 'log_unavailable' || fault.code === 'outcome_unknown')
    return new Problem('log_unavailable', { cause: error });
  if (fault.retryable === true) return new Problem('unavailable', { cause: error });
  return new Problem('internal', { cause: error });
}

function writeProblem(context: Koa.Context, problem: Problem, options: HttpAppOptions): void {
  const known = options.problems[problem.code] ?? { status: 500, title: 'The service failed.', afterMs: 0 };
  context.status = known.status;
  context.type = 'application/problem+json';
  if (known.status === 429 || known.status === 503) {
    const seconds = Math.ceil((problem.retryAfterMs ?? known.afterMs) / 1_000);
    context.set('Retry-After', String(Math.max(1, seconds)));
  }
  if (known.status === 401) context.set('WWW-Authenticate', 'Bearer');
  const body: Record<string, unknown> = {
    type: `urn:roomlog:problem:${problem.code}`,
    title: known.title,
    status: known.status,
    code: problem.code,
    requestId: context.state.requestId,
  };
  if (problem.detail !== undefined) body.detail = problem.detail;
  context.body = JSON.stringify(body);
}

function operations(options: HttpAppOptions): Koa.Middleware {
  return async (context, next) => {
    if (context.method !== 'GET' && context.method !== 'HEAD') return next();
    if (context.path === '/health') {
      context.body = { status: 'ok', role: options.role };
    } else if (context.path === '/ready') {
      const checks = await runChecks(options.ready);
      context.status = Object.values(checks).every((check) => check.ok) ? 200 : 503;
      context.body = { status: context.status === 200 ? 'ready' : 'not ready', role: options.role, checks };
    } else if (context.path === '/metrics') {
      context.type = options.metrics.contentType;
      context.body = await (options.metricsText?.() ?? options.metrics.metrics());
    } else {
      return next();
    }
  };
}

/** Every dependency by name; the error's text is shown because /ready is for operators and faults here name no user data. */
export async function runChecks(checks: ReadyChecks): Promise<Record<string, CheckResult>> {
  const entries = Object.entries(checks).map(async ([name, check]) => {
    try {
      const note = await withDeadline(Promise.resolve().then(check), READY_TIMEOUT_MS);
      return [name, typeof note === 'string' ? { ok: true, note } : { ok: true }] as const;
    } catch (error) {
      return [
        name,
        { ok: false, error: error instanceof Error ? error.message || error.name : String(error) },
      ] as const;
    }
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** A body that is not JSON is refused before it is read: a form post from a foreign page must never count as a command. */
const onlyJson: Koa.Middleware = async (context, next) => {
  const hasBody = Number(context.get('content-length')) > 0 || context.get('transfer-encoding') !== '';
  if (hasBody && context.method !== 'GET' && !context.is('json', '+json')) throw new Problem('unsupported_media_type');
  await next();
};

function allowedOrigin(frontendUrl: string): (context: Koa.Context) => string {
  const origins = frontendUrl.split(',').map((origin) => origin.trim().replace(/\/$/, ''));
  return (context) => {
    const origin = context.get('Origin');
    if (origins.includes('*')) return '*';
    return origins.includes(origin) ? origin : '';
  };
}
