import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type Cluster, Proxies } from '../cluster/cluster.ts';
import { SupervisedProcess } from '../cluster/supervised-process.ts';
import { seededRandom } from '../random.ts';
import type { Fault, FaultDeps } from './fault.ts';
import { FAULT_KINDS } from './nemesis.ts';

const MEMBERS = [
  { name: 'commands-1', role: 'commands' },
  { name: 'commands-2', role: 'commands' },
  { name: 'realtime-1', role: 'realtime' },
] as const;

describe('faults', () => {
  it('have names of their own', () => {
    const names = FAULT_KINDS.map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)]);
  });

  it('FLT-32 come in the same order on the same targets for the same seed', async () => {
    const proxies = new Proxies();
    try {
      for (const { name } of MEMBERS) await proxies.link(name, 'kafka', 1);
      const [once, again, other] = ['seed', 'seed', 'another'].map((seed) => draw(seed, clusterOf(proxies)));
      assert.deepEqual(again, once);
      assert.notDeepEqual(other, once);
      assert.ok((once?.length ?? 0) > 10);
    } finally {
      await proxies.close();
    }
  });
});

function draw(seed: string, cluster: Cluster): Pick<Fault, 'name' | 'target' | 'lastsMs'>[] {
  const random = seededRandom(seed);
  const deps: FaultDeps = { cluster, random, isLong: false, onViolation: assert.fail, onProgress: () => undefined };
  return random.shuffle(FAULT_KINDS).flatMap((kind) => {
    const fault = kind.make(deps);
    return fault === null ? [] : [{ name: fault.name, target: fault.target, lastsMs: fault.lastsMs }];
  });
}

/** A cluster that faults can be made for, and that must not be touched. */
function clusterOf(proxies: Proxies): Cluster {
  const none = { command: [], env: {}, readyUrl: '', logFile: '' };
  return {
    way: 'kafka',
    secret: '',
    processes: MEMBERS.map(({ name, role }) => ({ role, process: new SupervisedProcess({ name, ...none }) })),
    servers: [{ name: 'kafka', kill: assert.fail, restart: assert.fail }],
    links: proxies.links,
    doors: { commands: [], readApi: [], realtime: [] },
    disk: null,
    log: { kind: 'postgres', url: '', schema: '' },
    databaseUrl: '',
    redis: null,
    stopProcesses: assert.fail,
    close: assert.fail,
  };
}
