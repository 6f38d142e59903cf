// Faults of the product's own processes: killed, frozen, restarted in order.
import { setTimeout as delay } from 'node:timers/promises';
import { OWNER_SESSION_MS, type RoleName } from '../cluster/cluster.ts';
import type { SupervisedProcess } from '../cluster/supervised-process.ts';
import { type FaultDeps, type FaultKind, lasting, nothing } from './fault.ts';

const READY_TIMEOUT_MS = 60_000;

/** kill -9; the supervisor starts it again. */
function killOne(role: RoleName): FaultKind {
  const name = `kill-${role}`;
  return {
    name,
    make: (deps) => {
      const victim = deps.random.pick(processesOf(deps, role));
      if (!victim) return null;
      return { name, target: victim.name, lastsMs: 0, begin: () => victim.kill(), end: nothing };
    },
  };
}

/** All processes of a role at once. */
function killAll(role: RoleName): FaultKind {
  const name = `kill-all-${role}`;
  return {
    name,
    make: (deps) => {
      const victims = processesOf(deps, role);
      if (victims.length < 2) return null;
      const begin = async (): Promise<void> => void (await Promise.all(victims.map((victim) => victim.kill())));
      return { name, target: victims.map((victim) => victim.name).join(','), lastsMs: 0, begin, end: nothing };
    },
  };
}

/** A process that stands still for longer than others believe in it, and then goes on as if nothing had been. */
function freeze(role: RoleName): FaultKind {
  const name = `freeze-${role}`;
  return {
    name,
    make: (deps) => {
      const victim = deps.random.pick(processesOf(deps, role));
      if (!victim) return null;
      return {
        name,
        target: victim.name,
        lastsMs: lasting(deps, OWNER_SESSION_MS + 1_000, OWNER_SESSION_MS + 4_000, 30_000),
        begin: async () => victim.freeze(),
        end: async () => victim.thaw(),
      };
    },
  };
}

/** One after the other is asked to end, and the next one only when it is back: as an operator brings in a new version. */
const rollingRestart: FaultKind = {
  name: 'rolling-restart',
  make: (deps) => {
    const { cluster } = deps;
    const victims = deps.random.shuffle(cluster.processes.map(({ process }) => process));
    return {
      name: 'rolling-restart',
      target: victims.map(({ name }) => name).join(','),
      lastsMs: 0,
      begin: async () => {
        for (const victim of victims) await restartInOrder(victim, deps);
      },
      end: nothing,
    };
  },
};

export const PROCESS_FAULTS: readonly FaultKind[] = [
  killOne('commands'),
  killOne('projections'),
  killOne('realtime'),
  killOne('read-api'),
  killOne('main'),
  killAll('commands'),
  killAll('projections'),
  killAll('main'),
  freeze('commands'),
  freeze('projections'),
  freeze('realtime'),
  freeze('main'),
  rollingRestart,
];

async function restartInOrder(victim: SupervisedProcess, { onViolation }: FaultDeps): Promise<void> {
  const code = await victim.terminate();
  if (code !== 0) onViolation(`${victim.name} ended with ${code ?? 'SIGKILL, because it did not end'} after SIGTERM`);
  // The supervisor takes its pause first.
  while (victim.pid === 0) await delay(20);
  await victim.untilReady(READY_TIMEOUT_MS);
}

function processesOf({ cluster }: FaultDeps, role: RoleName): SupervisedProcess[] {
  return cluster.processes.filter((one) => one.role === role).map(({ process }) => process);
}
