import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { idToText, type Note } from './command-columns.ts';
import { RememberedCommands } from './remembered-commands.ts';

const BOUNDS = { perRoom: 3, perRoomMs: 100, perPartition: 12 };
const UUID = '0199c0de-0000-7000-8000-00000000000';

const noted = fc.record({
  stream: fc.constantFrom('room-a', 'room-b', 'room-c', 'room-d', 'room-e'),
  key: fc.nat(25).map((number) => `ada\0${number}`),
  id: fc.constantFrom(null, 'a text', `${UUID}1`, `${UUID}f`, `${UUID}F`, ''),
  ms: fc.nat(60),
});

describe('remembered commands', () => {
  it('CMD-4 are those that the plain rule leaves, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(noted, { maxLength: 80 }), (commands) => {
        const remembered = new RememberedCommands(BOUNDS);
        const plain = new PlainlyRemembered();
        for (const { stream, note } of notesOf(commands)) {
          remembered.add(stream, note);
          plain.add(stream, note);
          assert.deepEqual(contentOf(remembered), plain.content());
          assert.equal(remembered.count, plain.count);
        }
      }),
    );
  });

  it('CMD-4 what is taken at any moment, put back, and what came after it, give the same', () => {
    fc.assert(
      fc.property(fc.array(noted, { maxLength: 80 }), fc.nat(80), fc.nat(80), (commands, one, other) => {
        const all = [...notesOf(commands)];
        const [first, second] = [Math.min(one, other), Math.max(one, other)];
        const remembered = new RememberedCommands(BOUNDS);
        for (const { stream, note } of all.slice(0, first)) remembered.add(stream, note);
        remembered.keepUnsaved();
        const rest = remembered.all();
        for (const { stream, note } of all.slice(first, second)) remembered.add(stream, note);
        const then = contentOf(remembered);
        const unsaved = remembered.takeUnsaved();
        for (const { stream, note } of all.slice(second)) remembered.add(stream, note);

        const restored = new RememberedCommands(BOUNDS);
        for (const { stream, notes } of rest) for (const note of notes) restored.restore(stream, note);
        // More than a partition remembers is not kept one by one; then all would have to be taken.
        if (unsaved === null) return;
        for (const { stream, notes } of unsaved.runs) for (const note of notes) restored.add(stream, note);
        assert.deepEqual(contentOf(restored), then);
        for (const { stream, note } of all.slice(second)) restored.add(stream, note);
        assert.deepEqual(contentOf(restored), contentOf(remembered));
      }),
    );
  });
});

function* notesOf(commands: readonly { stream: string; key: string; id: string | null; ms: number }[]) {
  let occurredAt = 1_700_000_000_000;
  for (const [offset, { stream, key, id, ms }] of commands.entries()) {
    // Clocks of different nodes do not agree, so times go back now and then.
    occurredAt += ms - 10;
    const note: Note = { key, fingerprint: 2 ** 32 - 1 - offset, id, version: offset + 1, offset, occurredAt };
    yield { stream, note };
  }
}

function contentOf(remembered: RememberedCommands): unknown {
  return remembered.all().map(({ stream, notes }) => [stream, [...notes].map((note) => plainNote(note))]);
}

function plainNote({ id, ...note }: Note): unknown {
  return { ...note, id: idToText(id, 'the room') };
}

/** The rule as it stands in docs/spec/commands.md, without a thought of speed. */
class PlainlyRemembered {
  #rooms: { stream: string; notes: Note[] }[] = [];

  get count(): number {
    return this.#rooms.reduce((sum, { notes }) => sum + notes.length, 0);
  }

  add(stream: string, note: Note): void {
    const before = this.#rooms.find((room) => room.stream === stream)?.notes ?? [];
    const room = { stream, notes: [...before.filter(({ key }) => key !== note.key), note] };
    this.#rooms = [...this.#rooms.filter((other) => other.stream !== stream), room];
    for (let left = 2; left > 0 && room.notes.length > BOUNDS.perRoom; left--) {
      const [oldest] = room.notes;
      if (!oldest || oldest.occurredAt >= note.occurredAt - BOUNDS.perRoomMs) break;
      room.notes.shift();
    }
    while (this.count > BOUNDS.perPartition) {
      if (room.notes.length > BOUNDS.perRoom) room.notes.shift();
      else if (this.#rooms.length > 1) this.#rooms.shift();
      else break;
    }
  }

  content(): unknown {
    return this.#rooms.map(({ stream, notes }) => [stream, notes.map(plainNote)]);
  }
}
