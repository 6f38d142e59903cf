// Messages and events by COPY in PostgreSQL's binary form, which costs the server about half of what an insert does. For tables that
// are being filled: COPY knows no conflict, so what keeps a row from coming twice is the room's version, by which the fold skips
// what the room has already, and that rows, versions and checkpoints change in one transaction. It needs no key on the table.
import { once } from 'node:events';
import type { Knex } from 'knex';
import type { ClientBase } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { subjectOf } from '../../schemas/commands.ts';
import type { ChatEvent, MessageSent } from '../../schemas/generated/events.ts';
import { CopyBuffer } from './copy-buffer.ts';
import type { HistoryTables } from './tables.ts';

export async function copyMessages(
  tx: Knex.Transaction,
  tables: HistoryTables,
  messages: readonly MessageSent[],
): Promise<void> {
  if (messages.length === 0) return;
  const rows = new CopyBuffer();
  for (const message of messages) {
    const { metadata } = message;
    const sender = subjectOf(metadata);
    const operator = metadata.onBehalfOf === null ? null : metadata.actor;
    rows.startRow(12);
    rows.text(message.roomId);
    rows.bigint(metadata.version);
    rows.text(message.messageId);
    rows.text(message.text);
    rows.text(sender.userId);
    rows.text(sender.username);
    rows.text(operator?.userId ?? null);
    rows.text(operator?.username ?? null);
    rows.text(message.replyTo);
    rows.bigint(message.originalTime);
    rows.bigint(metadata.occurredAt);
    rows.text(metadata.commandId);
  }
  const columns = `room_id, version, message_id, text, user_id, username, operator_id, operator_name,
                   reply_to, original_time_ms, occurred_at_ms, command_id`;
  await copy(tx, `${tables.messages} (${columns})`, rows.end());
}

export async function copyRoomEvents(
  tx: Knex.Transaction,
  tables: HistoryTables,
  events: readonly ChatEvent[],
): Promise<void> {
  if (events.length === 0) return;
  const rows = new CopyBuffer();
  for (const event of events) {
    rows.startRow(3);
    rows.text(event.roomId);
    rows.bigint(event.metadata.version);
    rows.jsonb(JSON.stringify(event));
  }
  await copy(tx, `${tables.roomEvents} (room_id, version, event)`, rows.end());
}

async function copy(tx: Knex.Transaction, into: string, rows: Buffer): Promise<void> {
  // Within a transaction, that is the transaction's own connection, which is not given back.
  const connection = (await (tx.client as Knex.Client).acquireConnection()) as ClientBase;
  const stream = connection.query(copyFrom(`copy ${into} from stdin (format binary)`));
  stream.end(rows);
  await once(stream, 'finish');
}
