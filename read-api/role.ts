// Wires the read API: queries over PostgreSQL, the hot cache before them, the page.
import type { TokenVerifier } from '../platform/auth.ts';
import { authenticate } from '../platform/authenticate.ts';
import type { Clock } from '../platform/clock.ts';
import type { ExpiringSets } from '../platform/expiring-sets.ts';
import { fixedJsonRoute } from '../platform/fixed-json-route.ts';
import type { Lifecycle } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logger.ts';
import type { Metrics } from '../platform/metrics.ts';
import { mount } from '../platform/mount.ts';
import type { Role } from '../platform/role.ts';
import type { WrittenPositions } from '../platform/written-positions.ts';
import type { RoomCache } from '../projections/cache/room-cache.ts';
import { CODES_PATH, codesDocument } from '../schemas/codes-document.ts';
import { LIMITS } from '../schemas/limits.ts';
import { createActiveMarks } from './active-marks.ts';
import { freshQueries } from './fresh-queries.ts';
import { HotRooms } from './hot-rooms.ts';
import { createReadMetrics } from './metrics.ts';
import { PositionWaiter } from './position-waiter.ts';
import { PresenceReader } from './presence-reader.ts';
import type { Queries } from './queries/queries.ts';
import { createAsOfRoutes } from './routes/as-of.ts';
import { createMessageRoutes } from './routes/messages.ts';
import { waitForPosition } from './routes/min-position.ts';
import { createRoomRoutes } from './routes/rooms.ts';
import { servePage } from './routes/static-page.ts';

export type ReadApiSettings = { publicHistory: boolean; maxRefills: number; maxWaiting: number };

export type ReadApiRoleDeps = {
  settings: ReadApiSettings;
  lifecycle: Lifecycle;
  logger: Logger;
  metrics: Metrics;
  queries: Queries;
  /** Null: every page is read from PostgreSQL. One in memory must be the one that this process's projections keep. */
  cache: RoomCache | null;
  sets: ExpiringSets;
  /** Null: readers who want to see what was just written name its position. */
  written: WrittenPositions | null;
  verifier: TokenVerifier;
  clock: Clock;
};

const WEB_FOLDER = new URL('../web/', import.meta.url).pathname;

export async function openReadApiRole(deps: ReadApiRoleDeps): Promise<Role> {
  const { settings, lifecycle, logger, queries, cache, clock } = deps;
  const metrics = createReadMetrics(deps.metrics);
  const positions = new PositionWaiter({
    checkpoints: () => queries.checkpoints(),
    clock,
    timeoutMs: LIMITS.minPositionMs,
    maxWaiting: settings.maxWaiting,
  });
  const asked = freshQueries(queries, positions, deps.written);
  const hotRooms = new HotRooms({ ...settings, cache, queries, positions, written: deps.written, logger, metrics });
  lifecycle.add('hot rooms', () => hotRooms.stop());
  const active = createActiveMarks(deps.sets, logger);
  const before = [authenticate(deps.verifier), waitForPosition(positions, metrics)];
  const presence = new PresenceReader({ sets: deps.sets, clock });
  const rooms = createRoomRoutes({ before, queries: asked, active, presence });
  const asOf = createAsOfRoutes({ before, queries: asked, clock });
  const messages = createMessageRoutes({ before, queries: asked, hotRooms, active, rules: settings, metrics });
  return {
    name: 'read-api',
    routes: [
      fixedJsonRoute(CODES_PATH, codesDocument()),
      servePage(WEB_FOLDER),
      ...mount(rooms),
      ...mount(asOf),
      ...mount(messages),
    ],
    ready: { history: () => queries.checkpoints() },
  };
}
