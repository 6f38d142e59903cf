// What every twin of the written positions must do.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { WrittenPositions } from './written-positions.ts';

/** `open` gives two handles on the same, empty positions, as two processes would have them. */
export function describeWrittenPositions(
  name: string,
  open: () => { writer: WrittenPositions; reader: WrittenPositions },
): void {
  describe(`written positions ${name}`, () => {
    it('are the last offset noted of each partition', async () => {
      const { writer, reader } = open();
      assert.equal((await reader.last()).size, 0);
      writer.note(0, 7);
      writer.note(3, 0);
      writer.note(0, 9);
      // The writer's own look comes behind its notes, so whoever asks after it sees them.
      await writer.last();
      assert.deepEqual([...(await reader.last())].sort(), [
        [0, 9],
        [3, 0],
      ]);
    });
  });
}
