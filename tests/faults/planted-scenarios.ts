// For each bug on purpose (tests/support/planted-bugs/) the smallest disturbance under load that brings it out with near certainty.
import { setTimeout as delay } from 'node:timers/promises';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { OWNER_SESSION_MS } from './cluster/cluster.ts';
import type { SupervisedProcess } from './cluster/supervised-process.ts';
import type { Scene } from './run.ts';

export type Scenario = {
  /** Its name in planted-bugs. */
  bug: string;
  /** In a few words. */
  what: string;
  disturb: (scene: Scene) => Promise<void>;
  /** For what only shows when nothing follows it. */
  afterRest?: (scene: Scene) => Promise<void>;
};

/** Long enough that everybody else has given the frozen one up, and has gone on without it. */
const TAKEN_OVER_MS = OWNER_SESSION_MS + 2_500;
const READY_MS = 30_000;

export const SCENARIOS: readonly Scenario[] = [
  {
    bug: 'acknowledges-before-the-append',
    what: 'an acceptance before the append',
    // What is acknowledged meanwhile never reaches the broker, and dies with its process.
    disturb: async ({ cluster }) => {
      const links = linksOf(cluster, 'commands', 'kafka');
      for (const link of links) link.impair('swallow', ['requests']);
      await delay(1_000);
      await Promise.all(processesOf(cluster, 'commands').map((process) => process.kill()));
      for (const link of links) link.heal();
      await untilReady(cluster, 'commands');
      await delay(1_000);
    },
  },
  {
    bug: 'reads-void-records',
    what: 'readers that count void records',
    disturb: async ({ cluster }) => {
      const [link] = linksOf(cluster, 'commands-1', 'kafka');
      link?.impair('hold', ['requests']);
      await delay(TAKEN_OVER_MS);
      link?.heal();
      await delay(2_000);
    },
  },
  {
    bug: 'moves-checkpoints-outside-the-transaction',
    what: 'a checkpoint outside the transaction',
    // Slow answers make the time between the two commits long enough to be hit.
    disturb: async ({ cluster }) => {
      const links = linksOf(cluster, 'projections', 'postgres');
      for (let times = 0; times < 3; times += 1) {
        for (const link of links) link.delay(150, 'answers');
        await delay(2_000);
        await Promise.all(processesOf(cluster, 'projections').map((process) => process.kill()));
        for (const link of links) link.heal();
        await untilReady(cluster, 'projections');
      }
    },
  },
  {
    bug: 'resumes-one-too-far',
    what: 'resume off by one',
    disturb: async ({ cluster }) => {
      for (let times = 0; times < 3; times += 1) {
        for (const { proxy } of cluster.doors.realtime) proxy.cut();
        await delay(1_500);
      }
    },
  },
  {
    bug: 'repeats-without-the-command-id',
    what: 'forwarding that repeats without the commandId',
    // The answers are cut, so what was asked for is done and asked for again.
    disturb: async ({ cluster }) => {
      for (let times = 0; times < 20; times += 1) {
        for (const link of linksOf(cluster, 'others', '')) link.cutMidStream('answers');
        await delay(150);
      }
    },
  },
  {
    bug: 'caches-without-looking-at-the-version',
    what: 'a cache that is written without the version check',
    // What the frozen one had under way arrives when another has done it already.
    disturb: async ({ cluster }) => {
      const [link] = linksOf(cluster, 'projections-1', 'redis');
      const [frozen] = processesOf(cluster, 'projections');
      link?.impair('hold', ['requests']);
      await delay(300);
      frozen?.freeze();
      await delay(TAKEN_OVER_MS);
      link?.heal();
      await delay(500);
      frozen?.thaw();
      await untilReady(cluster, 'projections');
    },
  },
  {
    bug: 'snapshots-at-a-wrong-offset',
    what: 'a snapshot with a wrong offset',
    // Each owner writes its snapshots when it hands over. A single event a room is skipped then without a gap that would show, until
    // the room goes on.
    disturb: async ({ cluster, load }) => {
      load.finish();
      await delay(1_500);
      for (const process of processesOf(cluster, 'commands')) {
        await process.terminate();
        await delay(1_000);
        await process.untilReady(READY_MS);
      }
      await delay(2_000);
      await load.sayLastWords();
      await Promise.all(processesOf(cluster, 'commands').map((process) => process.kill()));
      await delay(1_000);
      await untilReady(cluster, 'commands');
      await load.sayLastWords();
    },
  },
  {
    bug: 'projects-without-its-fence',
    what: 'a projector without its fence',
    disturb: async () => undefined,
    // It holds a chunk that it cannot write, and does not hear that its partitions are another one's, which goes on. When it can write
    // again its checkpoint is the last one. Nothing may follow: the next chunk would move the checkpoint on again.
    afterRest: async ({ cluster, load }) => {
      const [postgres] = linksOf(cluster, 'projections-1', 'postgres');
      const [kafka] = linksOf(cluster, 'projections-1', 'kafka');
      await postgres?.refuse();
      await load.sayLastWords();
      await delay(1_000);
      kafka?.impair('swallow', ['requests', 'answers']);
      await delay(TAKEN_OVER_MS);
      await load.sayLastWords();
      await delay(3_000);
      await postgres?.accept();
      await delay(4_000);
    },
  },
];

/** By the name of a process or of a role; an empty `to` is any. */
function linksOf(cluster: Scene['cluster'], from: string, to: string): TcpProxy[] {
  const isFrom = (name: string): boolean => name === from || name.replace(/-\d+$/, '') === from;
  return cluster.links
    .filter((link) => isFrom(link.process) && (to === '' || link.to === to))
    .map(({ proxy }) => proxy);
}

function processesOf(cluster: Scene['cluster'], role: string): SupervisedProcess[] {
  return cluster.processes.filter((one) => one.role === role).map(({ process }) => process);
}

async function untilReady(cluster: Scene['cluster'], role: string): Promise<void> {
  await Promise.all(processesOf(cluster, role).map((process) => process.untilReady(READY_MS)));
}
