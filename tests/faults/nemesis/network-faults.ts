// Faults of the network between the processes and what they need, and between clients and the service.
import type { Direction } from '../../support/proxy-pipe.ts';
import type { Link } from '../cluster/cluster.ts';
import { type Fault, type FaultDeps, type FaultKind, lasting, nothing } from './fault.ts';

const DELAYS_MS = [20, 100, 400] as const;
const WAYS: readonly (readonly Direction[])[] = [['requests'], ['answers'], ['requests', 'answers']];

/** Links that break together: all of one process, all to one server, or a single one. */
function chooseLinks({ cluster, random }: FaultDeps): { target: string; links: readonly Link[] } {
  const one = random.pick(cluster.links);
  if (!one) return { target: 'nothing', links: [] };
  switch (random.int(0, 2)) {
    case 0:
      return { target: `${one.process}>*`, links: cluster.links.filter(({ process }) => process === one.process) };
    case 1:
      return { target: `*>${one.to}`, links: cluster.links.filter(({ to }) => to === one.to) };
    default:
      return { target: `${one.process}>${one.to}`, links: [one] };
  }
}

function onLinks(
  name: string,
  make: (deps: FaultDeps, links: readonly Link[]) => Omit<Fault, 'name' | 'target'> & { how?: string },
): FaultKind {
  return {
    name,
    make: (deps) => {
      const { target, links } = chooseLinks(deps);
      const { how = '', ...fault } = make(deps, links);
      return { name, target: `${target}${how}`, ...fault };
    },
  };
}

function heal(links: readonly Link[]): () => Promise<void> {
  return async () => {
    for (const { proxy } of links) proxy.heal();
  };
}

const cutLinks = onLinks('cut-links', ({ random }, links) => {
  const direction = random.pick(['requests', 'answers', null] as const) ?? null;
  const begin = async (): Promise<void> => {
    for (const { proxy } of links) direction === null ? proxy.cut() : proxy.cutMidStream(direction);
  };
  return { how: direction === null ? '' : ` in the middle of ${direction}`, lastsMs: 0, begin, end: nothing };
});

const refuseLinks = onLinks('refuse-links', (deps, links) => ({
  lastsMs: lasting(deps, 500, 4_000, 15_000),
  begin: async () => void (await Promise.all(links.map(({ proxy }) => proxy.refuse()))),
  end: async () => void (await Promise.all(links.map(({ proxy }) => proxy.accept()))),
}));

const delayLinks = onLinks('delay-links', (deps, links) => {
  const { random } = deps;
  const direction = random.pick(['requests', 'answers', undefined] as const);
  const ms = random.pick(DELAYS_MS) ?? 0;
  const begin = async (): Promise<void> => {
    for (const { proxy } of links) proxy.delay(ms, direction);
  };
  const lastsMs = lasting(deps, 2_000, 5_000, 20_000);
  return { how: ` ${direction ?? 'both ways'} by ${ms} ms`, lastsMs, begin, end: heal(links) };
});

/** `swallow`: connections are taken and nobody answers. `hold`: the network is parted, and later everything comes after all. */
function impair(name: string, mode: 'swallow' | 'hold'): FaultKind {
  return onLinks(name, (deps, links) => {
    const directions = deps.random.pick(WAYS) ?? [];
    const begin = async (): Promise<void> => {
      for (const { proxy } of links) proxy.impair(mode, directions);
    };
    const lastsMs = lasting(deps, 2_000, 6_000, 20_000);
    return { how: ` ${directions.join(' and ')}`, lastsMs, begin, end: heal(links) };
  });
}

/** Clients' sockets break in the middle of a frame, of theirs or of the service's. */
const cutSockets: FaultKind = {
  name: 'cut-sockets',
  make: ({ cluster, random }) => {
    const door = random.pick(cluster.doors.realtime);
    const direction = random.pick(['requests', 'answers'] as const);
    if (!door || !direction) return null;
    const begin = async (): Promise<void> => door.proxy.cutMidStream(direction);
    return {
      name: 'cut-sockets',
      target: `${door.process} in the middle of ${direction}`,
      lastsMs: 0,
      begin,
      end: nothing,
    };
  },
};

/** Clients' requests to a commands node break: they cannot know what became of them. */
const cutRequests: FaultKind = {
  name: 'cut-requests',
  make: ({ cluster, random }) => {
    const door = random.pick(cluster.doors.commands);
    if (!door) return null;
    return {
      name: 'cut-requests',
      target: door.process,
      lastsMs: 0,
      begin: async () => door.proxy.cutMidStream('answers'),
      end: nothing,
    };
  },
};

export const NETWORK_FAULTS: readonly FaultKind[] = [
  cutLinks,
  refuseLinks,
  delayLinks,
  impair('half-open-links', 'swallow'),
  impair('part-links', 'hold'),
  cutSockets,
  cutRequests,
];
