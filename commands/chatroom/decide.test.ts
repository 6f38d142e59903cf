import assert from 'node:assert/strict';
import { Map as ImmutableMap } from 'immutable';
import { describe, it } from 'mocha';
import type { SendMessage } from '../../schemas/commands.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { ADA, BOB, command, EVE, given, happened, ROOM, stateAfter } from '../../tests/support/given-when-then.ts';
import { decide } from './decide.ts';

const details = { spaceId: 'space-1', name: 'Lobby', description: 'Where all meet' };
const roomCreated = { type: 'RoomCreated', roomId: ROOM, ...details, isPrivate: false } as const;
const created = happened(ADA, roomCreated);
const createdPrivate = happened(ADA, { ...roomCreated, isPrivate: true });
const bobJoined = happened(BOB, { type: 'MemberJoined', roomId: ROOM, ...BOB, invitedBy: null });
const bobInvited = happened(ADA, { type: 'MemberInvited', roomId: ROOM, userId: BOB.userId });
const bobLeft = happened(BOB, { type: 'MemberLeft', roomId: ROOM, ...BOB });
const adaLeft = happened(ADA, { type: 'MemberLeft', roomId: ROOM, ...ADA });
const archived = happened(ADA, { type: 'RoomArchived', roomId: ROOM });

const create = { type: 'CreateRoom', roomId: ROOM, ...details, isPrivate: false } as const;
const join = { type: 'JoinRoom', roomId: ROOM } as const;
const leave = { type: 'LeaveRoom', roomId: ROOM } as const;
const archive = { type: 'ArchiveRoom', roomId: ROOM } as const;
const inviteBob = { type: 'InviteMember', roomId: ROOM, userId: BOB.userId } as const;
const rename = { type: 'ChangeRoomDetails', roomId: ROOM, name: 'Attic' } as const;
const MESSAGE_ID = '0199c0de-0000-7000-8000-000000000001';

function send(text: string, more: Partial<SendMessage> = {}): SendMessage {
  return { type: 'SendMessage', roomId: ROOM, messageId: MESSAGE_ID, text, replyTo: null, originalTime: null, ...more };
}

function sent(text: string, more: { replyTo?: string; originalTime?: number } = {}) {
  return {
    type: 'MessageSent',
    roomId: ROOM,
    messageId: MESSAGE_ID,
    text,
    replyTo: null,
    originalTime: null,
    ...more,
  } as const;
}

describe('creating a room', () => {
  it('CMD-10 makes the creator its owner and a member', () => {
    given([]).when(command(ADA, create)).thenHappens(roomCreated);
    given([created])
      .when(command(ADA, send('hi')))
      .thenHappens(sent('hi'));
    given([created]).when(command(ADA, archive)).thenHappens({ type: 'RoomArchived', roomId: ROOM });
  });

  it('CMD-11 is refused with room_exists where the id is taken, also by an archived room', () => {
    given([created]).when(command(BOB, create)).thenRejected('room_exists');
    given([created, archived]).when(command(ADA, create)).thenRejected('room_exists');
  });
});

describe('changing and archiving a room', () => {
  it('CMD-12 changes what was given and leaves the rest', () => {
    const before = { name: details.name, description: details.description };
    given([created])
      .when(command(ADA, rename))
      .thenHappens({ type: 'RoomDetailsEdited', roomId: ROOM, before, after: { ...before, name: 'Attic' } });
    given([created])
      .when(command(ADA, { type: 'ChangeRoomDetails', roomId: ROOM, description: '' }))
      .thenHappens({ type: 'RoomDetailsEdited', roomId: ROOM, before, after: { ...before, description: '' } });
  });

  it('CMD-13 a change to what is there already, and a second archiving, do nothing', () => {
    given([created])
      .when(command(ADA, { ...rename, name: details.name }))
      .thenNothing();
    given([created, archived]).when(command(ADA, archive)).thenNothing();
  });

  it('CMD-14 is for the owner and for operators: owner_only', () => {
    for (const body of [rename, archive]) {
      given([created, bobJoined]).when(command(BOB, body)).thenRejected('owner_only');
      const changed = decide(command(EVE, body, { isOperator: true }), stateAfter([created]));
      assert.ok(Array.isArray(changed) && changed.length === 1);
    }
  });

  it('CMD-15 an owner who left stays the owner on record', () => {
    given([created, adaLeft]).when(command(ADA, archive)).thenHappens({ type: 'RoomArchived', roomId: ROOM });
  });
});

describe('joining', () => {
  it('CMD-20 is free in a public room', () => {
    given([created])
      .when(command(BOB, join))
      .thenHappens({ type: 'MemberJoined', roomId: ROOM, ...BOB, invitedBy: null });
  });

  it('CMD-21 needs an invitation in a private room, which joining uses up: not_invited', () => {
    given([createdPrivate]).when(command(BOB, join)).thenRejected('not_invited');
    given([createdPrivate, bobInvited])
      .when(command(BOB, join))
      .thenHappens({ type: 'MemberJoined', roomId: ROOM, ...BOB, invitedBy: ADA.userId });
    given([createdPrivate, bobInvited, bobJoined, bobLeft]).when(command(BOB, join)).thenRejected('not_invited');
  });

  it('CMD-22 and leaving twice is no error and no event', () => {
    given([created, bobJoined]).when(command(BOB, join)).thenNothing();
    given([created, bobJoined, bobLeft]).when(command(BOB, leave)).thenNothing();
    given([created]).when(command(EVE, leave)).thenNothing();
    given([created, bobJoined, archived]).when(command(BOB, join)).thenNothing();
  });

  it('CMD-23 is refused with room_full beyond the limit', () => {
    const state = stateAfter([created]);
    assert.ok(state.status === 'open');
    const names = Array.from({ length: LIMITS.roomMembers }, (_, index) => [`user-${index}`, 'x'] as const);
    const full = { ...state, members: ImmutableMap<string, string>(names) };
    assert.deepEqual(decide(command(BOB, join), full), { rejected: 'room_full' });
    const almost = { ...full, members: full.members.delete('user-0') };
    assert.ok(Array.isArray(decide(command(BOB, join), almost)));
  });
});

describe('leaving', () => {
  it('CMD-24 is open to every member, the owner too', () => {
    given([created, bobJoined])
      .when(command(BOB, leave))
      .thenHappens({ type: 'MemberLeft', roomId: ROOM, ...BOB });
    given([created])
      .when(command(ADA, leave))
      .thenHappens({ type: 'MemberLeft', roomId: ROOM, ...ADA });
  });
});

describe('inviting', () => {
  it('CMD-25 is open to every member: not_a_member', () => {
    given([createdPrivate])
      .when(command(ADA, inviteBob))
      .thenHappens({ type: 'MemberInvited', roomId: ROOM, userId: BOB.userId });
    given([createdPrivate, bobInvited, bobJoined])
      .when(command(BOB, { ...inviteBob, userId: EVE.userId }))
      .thenHappens({ type: 'MemberInvited', roomId: ROOM, userId: EVE.userId });
    given([createdPrivate]).when(command(EVE, inviteBob)).thenRejected('not_a_member');
  });

  it('CMD-26 a member or somebody invited already does nothing', () => {
    given([createdPrivate, bobInvited]).when(command(ADA, inviteBob)).thenNothing();
    given([created, bobJoined]).when(command(ADA, inviteBob)).thenNothing();
  });
});

describe('sending a message', () => {
  it('CMD-30 is for members: not_a_member', () => {
    given([created, bobJoined])
      .when(command(BOB, send('hello')))
      .thenHappens(sent('hello'));
    given([created])
      .when(command(BOB, send('hello')))
      .thenRejected('not_a_member');
    given([created, bobJoined, bobLeft])
      .when(command(BOB, send('hello')))
      .thenRejected('not_a_member');
    given([createdPrivate, bobInvited])
      .when(command(BOB, send('hello')))
      .thenRejected('not_a_member');
  });

  it('CMD-31 keeps the text exactly as it was sent', () => {
    for (const text of [
      ' spaces ',
      'tab\tand\nnewline',
      '<script>alert(1)</script>',
      "'; drop table rooms; --",
      '👩‍👩‍👧‍👦',
    ])
      given([created])
        .when(command(ADA, send(text)))
        .thenHappens(sent(text));
  });

  it('CMD-32 refuses texts that are empty, too long in code points, not Unicode, or hold control characters', () => {
    given([created])
      .when(command(ADA, send('')))
      .thenRejected('message_empty');
    given([created])
      .when(command(ADA, send('😀'.repeat(LIMITS.messageCodePoints))))
      .thenHappens(sent('😀'.repeat(LIMITS.messageCodePoints)));
    given([created])
      .when(command(ADA, send('x'.repeat(LIMITS.messageCodePoints + 1))))
      .thenRejected('message_too_long');
    given([created])
      .when(command(ADA, send('lone \ud800')))
      .thenRejected('message_not_unicode');
    for (const control of ['\0', '\x02', '\r', '\x7f', '\x85'])
      given([created])
        .when(command(ADA, send(`a${control}b`)))
        .thenRejected('message_control_character');
  });

  it('CMD-33 may answer any message id; other texts are refused with reply_to_unknown', () => {
    given([created])
      .when(command(ADA, send('yes', { replyTo: MESSAGE_ID })))
      .thenHappens(sent('yes', { replyTo: MESSAGE_ID }));
    given([created])
      .when(command(ADA, send('yes', { replyTo: '17' })))
      .thenRejected('reply_to_unknown');
  });

  it('CMD-34 the original time of an imported message is for operators: operator_only', () => {
    given([created])
      .when(command(ADA, send('old', { originalTime: 5 })))
      .thenRejected('operator_only');
    given([created])
      .when(command(ADA, send('old', { originalTime: 5 }), { isOperator: true }))
      .thenHappens(sent('old', { originalTime: 5 }));
  });
});

describe('acting for somebody', () => {
  it('CMD-40 is for operators, in every command: operator_only', () => {
    for (const body of [create, join, leave, archive, inviteBob, rename, send('hi')])
      given([created, bobJoined])
        .when(command(BOB, body, { onBehalfOf: ADA }))
        .thenRejected('operator_only');
  });

  it('CMD-41 counts for the one acted for, under the same rules', () => {
    const operator = { isOperator: true, onBehalfOf: BOB };
    given([created])
      .when(command(EVE, join, operator))
      .thenHappens({ type: 'MemberJoined', roomId: ROOM, ...BOB, invitedBy: null });
    given([createdPrivate])
      .when(command(EVE, join, operator))
      .thenRejected('not_invited');
    given([created, bobJoined])
      .when(command(EVE, send('hi'), operator))
      .thenHappens(sent('hi'));
    given([created])
      .when(command(ADA, send('hi'), operator))
      .thenRejected('not_a_member');
  });
});

describe('every room', () => {
  it('CMD-42 that does not exist answers room_not_found to everything but its creation', () => {
    for (const body of [join, leave, archive, inviteBob, rename, send('hi')])
      given([]).when(command(ADA, body)).thenRejected('room_not_found');
  });

  it('CMD-43 that is archived changes no more: room_archived', () => {
    for (const body of [rename, { ...inviteBob, userId: EVE.userId }, send('hi'), leave])
      given([created, archived]).when(command(ADA, body)).thenRejected('room_archived');
    given([created, archived]).when(command(BOB, join)).thenRejected('room_archived');
  });
});
