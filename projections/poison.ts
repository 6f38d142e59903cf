// What a record is that can never be projected, told apart from a world that fails for the moment.
import { isDataError } from '../platform/database-faults.ts';
import type { ProjectedRecord } from './sink.ts';
import { type LoggedEvent, UnprojectableError } from './table-projection.ts';

export type ReadableRecord = ProjectedRecord & { content: { event: LoggedEvent['event'] } };

/** The record as one that can be projected, or why it cannot. */
export function readRecord(record: ProjectedRecord): ReadableRecord | { fault: string } {
  const { content } = record;
  if ('fault' in content) return content;
  if (content.event.metadata.stream === record.record.key) return { ...record, content };
  return { fault: 'the key of the record is not the stream of its event' };
}

export function toLoggedEvent({ partition, content }: ReadableRecord): LoggedEvent {
  return { partition, event: content.event };
}

/** Whether the same events would fail again whenever they are tried. */
export function isPoison(error: unknown): boolean {
  return error instanceof UnprojectableError || isDataError(error);
}

export function describePoison(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
