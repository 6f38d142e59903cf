import { createMemoryWrittenPositions } from './written-positions.ts';
import { describeWrittenPositions } from './written-positions-contract.ts';

describeWrittenPositions('in memory', () => {
  const positions = createMemoryWrittenPositions();
  return { writer: positions, reader: positions };
});
