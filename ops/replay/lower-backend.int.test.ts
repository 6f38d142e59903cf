import assert from 'node:assert/strict';
import { getPriority } from 'node:os';
import { after, describe, it } from 'mocha';
import pino from 'pino';
import { type OpenedConnection, openDatabase } from '../../platform/postgres.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';
import { lowerBackend } from './lower-backend.ts';

describe('giving way on the server', () => {
  const lowered: { connection: OpenedConnection; isLower: boolean }[] = [];
  const options = { url: stackEnv.databaseUrl(), poolMax: 1, applicationName: 'lower backend' };
  const onConnect = async (connection: OpenedConnection): Promise<void> => {
    lowered.push({ connection, isLower: await lowerBackend(connection) });
  };
  const db = openDatabase({ ...options, onConnect }, pino({ level: 'silent' }));

  after(() => db.destroy());

  it('REPLAY-28 lowers the priority of the process that works for the connection, and of no other', async () => {
    const { rows } = await db.raw<{ rows: { pid: number }[] }>('select pg_backend_pid() as pid');
    const pid = rows[0]?.pid ?? 0;
    assert.deepEqual(
      lowered.map(({ connection, isLower }) => [connection.processID, isLower]),
      [[pid, true]],
    );
    assert.equal(getPriority(pid), 10);
    const stranger = { processID: process.pid, connection: { stream: { localPort: 1 } } };
    const otherPort = { processID: pid, connection: { stream: { localPort: 1 } } };
    assert.deepEqual([await lowerBackend(stranger), await lowerBackend(otherPort)], [false, false]);
    assert.equal(getPriority(process.pid), getPriority(0));
  });
});
