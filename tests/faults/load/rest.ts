// Brings a run to rest: everybody has seen everything, everything is projected, nobody writes any more.
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Cluster } from '../cluster/cluster.ts';
import type { Load } from './load.ts';

export type RestDeps = {
  cluster: Cluster;
  load: Load;
  /** Milliseconds that each part of it may take. */
  patienceMs: number;
  onViolation: (sentence: string) => void;
};

const LOOK_MS = 100;
/** Requests go to the readers in turn, so that each is asked while it has the room and while it has to bring it in. */
const CACHE_READS = 4;
const ANSWER_MS = 5_000;
/** Of a page that is told of. */
const PAGE_CHARACTERS = 400;
/** A command whose sender was told that nobody knows may still be done, late; by then it is. */
const LATE_COMMANDS_MS = 3_000;

/** Resolves in any case; what did not come to rest is a violation. */
export async function comeToRest({ cluster, load, patienceMs, onViolation }: RestDeps): Promise<void> {
  await delay(LATE_COMMANDS_MS);
  const positions = await load.sayLastWords();
  const versions = await readVersions(load, positions, patienceMs, onViolation);
  await load.untilAllIsSeen(versions, patienceMs);
  await untilProjected(cluster, patienceMs, onViolation);
  for (const [roomId, version] of await readVersions(load, positions, patienceMs, onViolation)) {
    if (version !== versions.get(roomId)) onViolation(`room ${roomId} went on to version ${version} after the end`);
  }
  await compareCaches(load, positions, onViolation);
  for (const { process } of cluster.processes) {
    const { isReady, text } = await process.readiness();
    // A note is something that waits for a person: parked streams, streams that cannot be read.
    if (!isReady || text.includes('"note"')) onViolation(`at the end ${process.name} says ${text}`);
  }
}

async function readVersions(
  load: Load,
  positions: ReadonlyMap<string, string>,
  patienceMs: number,
  onViolation: (sentence: string) => void,
): Promise<Map<string, number>> {
  const versions = new Map<string, number>();
  const deadline = performance.now() + patienceMs;
  for (const [roomId, position] of positions) {
    let last = '';
    while (!versions.has(roomId) && performance.now() < deadline) {
      try {
        const { status, body } = await load.rest.read(`/api/v1/chatroom/${roomId}`, load.operatorToken, position);
        last = `${status} ${JSON.stringify(body)}`;
        if (status === 200) versions.set(roomId, Number((body.chatroom as { version?: unknown }).version));
      } catch (error) {
        last = String(error);
      }
      if (!versions.has(roomId)) await delay(LOOK_MS);
    }
    if (!versions.has(roomId)) onViolation(`history did not reach ${position} of room ${roomId}: ${last}`);
  }
  return versions;
}

/** At rest the hot cache of every reader shows the same newest page as history. */
async function compareCaches(
  load: Load,
  positions: ReadonlyMap<string, string>,
  onViolation: (sentence: string) => void,
): Promise<void> {
  for (const [roomId, position] of positions) {
    const member = load.clients.find(({ userId }) => load.rooms.find(roomId)?.members.has(userId));
    if (!member) continue;
    const fromHistory = await member.readNewest(roomId, position);
    for (let read = 0; read < CACHE_READS; read += 1) {
      const fromCache = await member.readNewest(roomId);
      if (fromCache !== null && isDeepStrictEqual(fromCache, fromHistory)) continue;
      const pages = [fromCache, fromHistory].map((page) => JSON.stringify(page).slice(-PAGE_CHARACTERS)).join(' and ');
      onViolation(`${member.name} reads other newest messages of room ${roomId} than history has: … ${pages}`);
      break;
    }
  }
}

/** Until no process of the projections says that it lags behind. */
async function untilProjected(
  cluster: Cluster,
  patienceMs: number,
  onViolation: (sentence: string) => void,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  const projecting = cluster.processes.filter(({ role }) => role === 'projections' || role === 'main');
  for (const { process } of projecting) {
    let lag = await lagOf(process.readyUrl);
    while (lag !== 0 && performance.now() < deadline) {
      await delay(LOOK_MS);
      lag = await lagOf(process.readyUrl);
    }
    if (lag !== 0) onViolation(`${process.name} still lags ${lag ?? 'by nobody knows how much'} events behind`);
  }
}

/** Null where it does not say. */
async function lagOf(readyUrl: string): Promise<number | null> {
  try {
    const answer = await fetch(new URL('/metrics', readyUrl), { signal: AbortSignal.timeout(ANSWER_MS) });
    const lags = [...(await answer.text()).matchAll(/^roomlog_projection_lag_events\{[^}]*\} (\S+)$/gm)];
    return lags.length === 0 ? null : lags.reduce((sum, [, lag]) => sum + Number(lag), 0);
  } catch {
    return null;
  }
}
