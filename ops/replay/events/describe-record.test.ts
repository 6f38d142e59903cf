import assert from 'node:assert/strict';
import { before, describe, it } from 'mocha';
import { type Codec, openCodec } from '../../../event-log/codec/codec.ts';
import { folderSchemas } from '../../../event-log/codec/folder-schemas.ts';
import type { InspectedRecord } from '../../../event-log/event-log.ts';
import type { ChatEvent } from '../../../schemas/generated/events.ts';
import { made, roomHistory } from '../../../tests/support/chat-events.ts';
import { describeRecord } from './describe-record.ts';

const AT = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
const NO_SUCH_SCHEMA = Buffer.from('007fffffff0102', 'hex');

describe('a record as events shows it', () => {
  let codec: Codec;
  const event = roomHistory('lobby').next('ada', made.said('hello'));

  before(async () => {
    codec = await openCodec(folderSchemas());
  });

  function recordOf(value: Buffer | null, more: object = { is: 'event' }): InspectedRecord {
    return { offset: 12, key: 'room-lobby', value, appendedAt: AT, ...more } as InspectedRecord;
  }
  const describeEvent = (of: ChatEvent, more?: object) => describeRecord(codec, 3, recordOf(codec.encode(of), more));

  it('REPLAY-81 is a line with position, time, type, stream, version, actor and what is the event’s own', async () => {
    const { line, json } = await describeEvent(event);
    assert.equal(
      line,
      '3-12        2026-01-02T03:04:05.006Z  MessageSent         room-lobby #1  ada:  messageId="message-hello"  text="hello"',
    );
    const at = { partition: 3, offset: 12, appendedAt: '2026-01-02T03:04:05.006Z', key: 'room-lobby' };
    assert.deepEqual(json, { ...at, is: 'event', event });
  });

  it('REPLAY-81 names who an operator acted for', async () => {
    const metadata = { ...event.metadata, onBehalfOf: { userId: 'bob', username: 'Bob' } };
    assert.match((await describeEvent({ ...event, metadata })).line, / bob \(by ada\): /);
  });

  it('REPLAY-81 marks what is void, with what it predicted, and barriers', async () => {
    const stray = await describeEvent(event, { is: 'void', predicted: ['9'] });
    assert.match(stray.line, /text="hello" {2}\[void: predicted offset 9\]$/);
    assert.partialDeepStrictEqual(stray.json, { is: 'void', predicted: ['9'], event });
    assert.match((await describeEvent(event, { is: 'void', predicted: [] })).line, /\[void: predicted no offset\]$/);
    const barrier = await describeRecord(codec, 3, recordOf(null, { is: 'barrier', key: '' }));
    assert.match(barrier.line, /^3-12 .*Z {2}barrier$/);
    assert.equal(barrier.event, null);
    const empty = await describeRecord(codec, 3, recordOf(null, { is: 'void', predicted: ['12'], key: null }));
    assert.match(empty.line, /no value {2}no key {2}\[void: predicted offset 12\]$/);
  });

  it('REPLAY-81 says why bytes are no event, and shows them', async () => {
    const poison = await describeRecord(codec, 3, recordOf(NO_SUCH_SCHEMA));
    assert.match(poison.line, /undecodable +room-lobby .*no_such_schema.* {2}007fffffff0102$/);
    const undecodable = { reason: 'no_such_schema', schemaId: 0x7fffffff };
    assert.partialDeepStrictEqual(poison.json, { is: 'event', undecodable, hex: '007fffffff0102' });
  });

  it('REPLAY-83 shows nothing that could steer a terminal', async () => {
    const name = '\u001b[2J\u202eevil\u0007\u2028';
    const { line } = await describeEvent({ ...event, metadata: { ...event.metadata, stream: name } });
    assert.doesNotMatch(line, /[\p{Cc}\u202e\u2028]/u);
    assert.match(line, /\\u\{1b\}\[2J\\u\{202e\}evil\\u\{7\}\\u\{2028\}/);
    assert.match((await describeEvent(roomHistory('lobby').next('ada', made.said('👩‍💻')))).line, /text="👩‍💻"/u);
  });
});
