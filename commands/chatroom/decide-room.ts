// Decisions about the room itself. Its details and its end are the owner's business, and an operator's.
import { type ChangeRoomDetails, type Command, type CreateRoom, subjectOf } from '../../schemas/commands.ts';
import { type Rejection, reject } from '../../schemas/rejections.ts';
import type { NewEvent } from './new-event.ts';
import type { ExistingRoom, RoomState } from './state.ts';

export function decideCreate(body: CreateRoom, state: RoomState): readonly NewEvent[] | Rejection {
  if (state.status !== 'none') return reject('room_exists');
  const { roomId, spaceId, name, description, isPrivate } = body;
  return [{ type: 'RoomCreated', roomId, spaceId, name, description, isPrivate }];
}

export function decideChangeDetails(
  command: Command,
  body: ChangeRoomDetails,
  state: RoomState,
): readonly NewEvent[] | Rejection {
  if (state.status === 'none') return reject('room_not_found');
  if (!mayGovern(command, state)) return reject('owner_only');
  if (state.status === 'archived') return reject('room_archived');
  const before = { name: state.name, description: state.description };
  const after = { name: body.name ?? before.name, description: body.description ?? before.description };
  if (after.name === before.name && after.description === before.description) return [];
  return [{ type: 'RoomDetailsEdited', roomId: state.roomId, before, after }];
}

export function decideArchive(command: Command, state: RoomState): readonly NewEvent[] | Rejection {
  if (state.status === 'none') return reject('room_not_found');
  if (!mayGovern(command, state)) return reject('owner_only');
  if (state.status === 'archived') return [];
  return [{ type: 'RoomArchived', roomId: state.roomId }];
}

/** The owner, also one who has left, and operators: they also act as themselves here, for whomever they speak. */
function mayGovern(command: Command, state: ExistingRoom): boolean {
  return command.isOperator || subjectOf(command).userId === state.ownerId;
}
