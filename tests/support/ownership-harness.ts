// A group of owners for one test, on either adapter: members in this process, through a proxy, and in processes of their own.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from '../../event-log/contract/log-probe.ts';
import { Member, PARTITIONS, SESSION_MS } from '../../event-log/ownership/contract/members.ts';
import type { Assignment, Ownership, OwnershipOptions } from '../../event-log/ownership/ownership.ts';
import type { MemberOptions, OwnershipHarness, ProcessMember } from '../../event-log/ownership/ownership-contract.ts';
import type { OwnershipProcessArgument } from './ownership-process.ts';
import { openTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export type OwnershipPlace = {
  on: OwnershipProcessArgument['on'];
  /** The topic or the schema. */
  place: string;
  server: { host: string; port: number };
  open(options: OwnershipOptions, through?: Pick<TcpProxy, 'host' | 'port'>): Ownership;
  drop(): Promise<void>;
};

const PROCESS = fileURLToPath(new URL('./ownership-process.ts', import.meta.url));

export function ownershipHarness(where: OwnershipPlace): OwnershipHarness {
  const members: Member[] = [];
  const proxies: TcpProxy[] = [];
  const children: ChildProcess[] = [];
  const join = (options: MemberOptions, through?: TcpProxy): Member => {
    const member = new Member((complete) => where.open(complete, through), completed(options));
    members.push(member);
    return member;
  };
  return {
    join: (options = {}) => join(options),
    joinThroughProxy: async (options = {}) => {
      const proxy = await openTcpProxy(where.server);
      proxies.push(proxy);
      return { member: join(options, proxy), faults: proxy };
    },
    spawn: async (options = {}) => {
      const { child, member } = spawnMember({ ...completed(options), on: where.on, place: where.place });
      children.push(child);
      await until('the process has been told an assignment', () => member.told.length > 0);
      return member;
    },
    close: async () => {
      await Promise.all(members.map(({ ownership }) => ownership.stop()));
      await Promise.all(children.map(endChild));
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await where.drop();
    },
  };
}

function completed(options: MemberOptions): Omit<OwnershipOptions, 'onAssigned'> {
  return {
    role: 'test-role',
    partitions: PARTITIONS,
    address: `http://${randomUUID()}`,
    sessionMs: SESSION_MS,
    ...options,
  };
}

function spawnMember(argument: OwnershipProcessArgument): { child: ChildProcess; member: ProcessMember } {
  const child = spawn(process.execPath, [PROCESS, JSON.stringify(argument)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const told: Assignment[] = [];
  createInterface(child.stdout).on('line', (line) => {
    const { mine, addresses } = JSON.parse(line) as { mine: number[]; addresses: [number, string][] };
    told.push({ mine, addressByPartition: new Map(addresses) });
  });
  return { child, member: { address: argument.address, told, signal: (name) => void child.kill(name) } };
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
