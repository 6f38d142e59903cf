import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { type EventLog, LogUnavailableError } from '../event-log/event-log.ts';
import type { ConnectionFaults } from '../event-log/event-log-contract.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import { type Accepted, type Command, parsePosition } from '../schemas/commands.ts';
import { isRejection } from '../schemas/rejections.ts';
import { arbitraryCommands } from '../tests/support/arbitraries.ts';
import { ADA, BOB, command } from '../tests/support/given-when-then.ts';
import { eventsOf, mustAccept, openWriteSide, type WriteSide } from '../tests/support/write-side.ts';

describe('laws of the write side', () => {
  it('CMD-54 deciding in any batching gives the same events and the same answers', async () => {
    const batches = fc.array(arbitraryCommands({ maxLength: 12 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(batches, async (groups) => {
        assert.deepEqual(await decideIn(groups), await decideIn(groups.flat().map((one) => [one])));
      }),
      { numRuns: 40 },
    );
  });

  it('CMD-55 two owners with broken connections: every command that was repeated until accepted is in the log exactly once', async () => {
    const fault = fc.record({
      owner: fc.nat(1),
      kind: fc.constantFrom('cut', 'swallowAnswers', 'swallowRequests', 'holdRequests', 'refuse', 'late'),
      afterTurns: fc.nat(40),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { maxLength: 12 }), fc.nat(3), async (faults, seed) => {
        await sendThrough(faults as Fault[], 12 + seed);
      }),
      { numRuns: 15 },
    );
  }).timeout(60_000);
});

/** Groups go one after the other, the commands of a group at once. */
async function decideIn(groups: readonly Command[][]): Promise<unknown> {
  const { log } = openMemoryEventLog(new MemoryStore(3));
  const side = await openWriteSide(log);
  const answers = [];
  for (const group of groups) answers.push(...(await Promise.all(group.map(side.execute))));
  const events = await eventsOf(log);
  await side.stop();
  await log.close();
  return {
    answers,
    events: events.map(({ partition, offset, event }) => {
      const metadata = { ...event.metadata, eventId: '' };
      return { partition, offset, event: { ...event, metadata } };
    }),
  };
}

type Fault = {
  owner: number;
  kind: 'cut' | 'swallowAnswers' | 'swallowRequests' | 'holdRequests' | 'refuse' | 'late';
  afterTurns: number;
};

async function sendThrough(faults: readonly Fault[], count: number): Promise<void> {
  const store = new MemoryStore(1);
  const { log } = openMemoryEventLog(store);
  const nodes = await Promise.all([0, 1].map(() => openNode(store)));
  const roomId = 'r';
  const [first] = nodes;
  assert.ok(first);
  const create = { type: 'CreateRoom', roomId, spaceId: 's', name: 'n', description: '', isPrivate: false } as const;
  mustAccept(await first.side.execute(command(ADA, create)));
  mustAccept(await first.side.execute(command(BOB, { type: 'JoinRoom', roomId })));
  const senders = nodes.flatMap(({ side }, node) =>
    Array.from({ length: 4 }, (_, sender) => sendAll(side, roomId, `${node}.${sender}`, count)),
  );
  for (const { owner, kind, afterTurns } of faults) {
    for (let turn = 0; turn < afterTurns; turn++) await nextTurn();
    const node = nodes[owner];
    if (!node) continue;
    if (kind === 'refuse') {
      await node.faults.refuse();
      for (let turn = 0; turn < 20; turn++) await nextTurn();
      await node.faults.accept();
    } else if (kind === 'late') await node.faults.releaseRequests();
    else node.faults[kind]();
  }
  const accepted = new Map((await Promise.all(senders)).flat());
  for (const { faults: late } of nodes) await late.releaseRequests();
  await assertExactly(accepted, await eventsOf(log));
  for (const node of nodes) await node.close();
  await log.close();
}

async function assertExactly(
  accepted: Map<string, Accepted>,
  found: Awaited<ReturnType<typeof eventsOf>>,
): Promise<void> {
  assert.deepEqual(
    found.map(({ event }) => event.metadata.version),
    found.map((_, index) => index + 1),
  );
  const sent = found.filter(({ event }) => event.type === 'MessageSent');
  assert.equal(sent.length, accepted.size);
  for (const { offset, event } of sent) {
    const answer = accepted.get(event.metadata.commandId);
    assert.ok(answer, `${event.metadata.commandId} is in the log, and nobody was told`);
    assert.equal(answer.version, event.metadata.version);
    assert.equal(parsePosition(answer.position)?.offset, offset);
  }
}

async function openNode(
  store: MemoryStore,
): Promise<{ side: WriteSide; faults: ConnectionFaults; close: () => Promise<void> }> {
  const { log, faults } = openMemoryEventLog(store, { timeoutMs: 15 });
  const side = await openPatiently(log);
  return {
    side,
    faults,
    close: async () => {
      await side.stop();
      await log.close();
    },
  };
}

/** Again while the log is away, as whoever supervises a process does: on a busy machine 15 ms may pass without any fault of ours. */
async function openPatiently(log: EventLog): Promise<WriteSide> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await openWriteSide(log);
    } catch (error) {
      if (!(error instanceof LogUnavailableError) || attempt === 100) throw error;
    }
  }
}

/** One after the other, each again until it is accepted, as a client does. */
async function sendAll(side: WriteSide, roomId: string, name: string, count: number): Promise<[string, Accepted][]> {
  const answers: [string, Accepted][] = [];
  for (let index = 0; index < count; index++) {
    const commandId = `${name}:${index}`;
    const messageId = '0199c0de-0000-7000-8000-000000000001';
    const body = {
      type: 'SendMessage',
      roomId,
      messageId,
      text: commandId,
      replyTo: null,
      originalTime: null,
    } as const;
    while (true) {
      const answer = await side.execute(command(BOB, body, { commandId }));
      if (!isRejection(answer)) {
        answers.push([commandId, answer]);
        break;
      }
      assert.equal(answer.rejected, 'log_unavailable');
      await nextTurn();
    }
  }
  return answers;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
