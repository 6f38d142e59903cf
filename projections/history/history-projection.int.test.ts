import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import { arbitraryHistory } from '../../tests/support/arbitraries.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { dumpSchema } from '../../tests/support/dump-schema.ts';
import { type HistoryHarness, openHistoryHarness, toChunk, toRecords } from '../../tests/support/history-harness.ts';
import type { PostgresSink } from '../postgres-sink.ts';

const RUNS = 25;

describe('history in PostgreSQL', () => {
  let harness: HistoryHarness;
  let sink: PostgresSink;

  before(async () => {
    harness = await openHistoryHarness();
    sink = harness.openSink();
    await sink.load([0, 1]);
  });

  after(() => harness.close());

  async function fresh(): Promise<void> {
    await harness.clear();
    await sink.load([0, 1]);
  }

  it('PROJ-3 law: the tables are the same however the log is cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryHistory(), fc.infiniteStream(fc.integer({ min: 1, max: 5 })), async (events, sizes) => {
        const records = toRecords(harness.codec, events);
        await fresh();
        assert.equal(await sink.write(toChunk(records, 0)), 'written');
        const whole = await harness.allRows();
        await fresh();
        for (let at = 0; at < records.length; ) {
          const size = sizes.next().value;
          assert.equal(await sink.write(toChunk(records.slice(at, at + size), at)), 'written');
          at += size;
        }
        assert.deepEqual(await harness.allRows(), whole);
      }),
      { numRuns: RUNS },
    );
  });

  it('PROJ-2 law: every batch delivered twice, cut at every index, changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryHistory({ maxLength: 15 }), async (events) => {
        const records = toRecords(harness.codec, events);
        await fresh();
        await sink.write(toChunk(records, 0));
        const whole = await harness.allRows();
        const end = records.length;
        for (let cut = 0; cut <= end; cut++) {
          // The same records again, in two parts, at a checkpoint that stays where it is.
          for (const part of [records.slice(0, cut), records.slice(cut)]) {
            assert.equal(await sink.write({ records: part, moves: new Map([[0, { from: end, to: end }]]) }), 'written');
          }
        }
        assert.deepEqual(await harness.allRows(), whole);
        assert.equal(sink.parkedStreams, 0);
      }),
      { numRuns: RUNS },
    );
  });

  it('PROJ-10 law: a room counts as many members as it has rows of them', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryHistory(), async (events) => {
        await fresh();
        await sink.write(toChunk(toRecords(harness.codec, events), 0));
        const { rooms, memberships } = harness.tables;
        const wrong = await harness.db.raw(
          `select room_id from ${rooms} as room where member_count <>
             (select count(*) from ${memberships} as member where member.room_id = room.room_id)`,
        );
        assert.deepEqual(wrong.rows, []);
      }),
      { numRuns: RUNS },
    );
  });

  it('keeps what a message says, who said it and for whom', async () => {
    await fresh();
    const room = roomHistory('lobby');
    const created = room.next('ada', made.room());
    const said = room.next('importer', made.said('it\'s <b>\\N\t{"}\nNULL'));
    said.metadata.onBehalfOf = { userId: 'bob', username: 'Bob' };
    await sink.write(toChunk(toRecords(harness.codec, [created, said]), 0));
    const { rows } = await harness.db.raw(`select * from ${harness.tables.messages}`);
    assert.partialDeepStrictEqual(rows, [
      {
        room_id: 'lobby',
        version: '2',
        text: 'it\'s <b>\\N\t{"}\nNULL',
        user_id: 'bob',
        operator_id: 'importer',
        reply_to: null,
      },
    ]);
  });

  it('PROJ-11 has exactly the tables that projections/history/schema.sql shows', async () => {
    const shown = await readFile(new URL('./schema.sql', import.meta.url), 'utf8');
    const dumped = await dumpSchema(harness.db, harness.schemas);
    assert.equal(dumped, shown, `the tables changed; they are now:\n${dumped}`);
  });
});
