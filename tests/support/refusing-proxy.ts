// A TCP proxy in front of a Kafka broker that answers for a group in its place: NOT_COORDINATOR, as a broker does that could not read
// what it has of the group. It is named as the coordinator all the same.
import { once } from 'node:events';
import { createServer, Socket } from 'node:net';
import { GROUP_CODES, GROUP_VERSIONS } from '../../event-log/kafka/group-requests.ts';

export type RefusingProxy = {
  readonly host: string;
  readonly port: number;
  /** From now on no request of this group reaches the broker. */
  refuse(groupId: string): void;
  serve(groupId: string): void;
  close(): Promise<void>;
};

/** Requests that go to the coordinator. The group is the first that each says. */
const OF_A_MEMBER: ReadonlySet<number> = new Set(
  GROUP_VERSIONS.filter(({ apiName }) => apiName !== 'FindCoordinator').map(({ apiKey }) => apiKey),
);
/** Zeros behind the error code: whatever else an answer says is empty. */
const ANSWER_BYTES = 64;

export async function openRefusingProxy(broker: { host: string; port: number }): Promise<RefusingProxy> {
  const refused = new Set<string>();
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = new Socket().setNoDelay(true).connect(broker.port, broker.host);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => from.destroy());
      from.on('close', () => to.destroy());
    }
    upstream.on('data', (chunk) => client.write(chunk));
    let said: Buffer = Buffer.alloc(0);
    client.on('data', (chunk) => {
      said = Buffer.concat([said, chunk]);
      for (let end = endOf(said); end <= said.length; end = endOf(said)) {
        const request = said.subarray(0, end);
        said = said.subarray(end);
        if (isRefused(request, refused)) client.write(refusalOf(request));
        else upstream.write(request);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy listens on no TCP port');
  return {
    host: '127.0.0.1',
    port: address.port,
    refuse: (groupId) => void refused.add(groupId),
    serve: (groupId) => void refused.delete(groupId),
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Where the first request ends; beyond the bytes there are where its length has not come yet. */
function endOf(said: Buffer): number {
  return said.length < 4 ? Number.POSITIVE_INFINITY : 4 + said.readInt32BE(0);
}

/** Length, key, version, correlation id, client id, then the group. */
function isRefused(request: Buffer, refused: ReadonlySet<string>): boolean {
  if (!OF_A_MEMBER.has(request.readInt16BE(4))) return false;
  const groupAt = 14 + Math.max(request.readInt16BE(12), 0);
  return refused.has(request.toString('utf8', groupAt + 2, groupAt + 2 + request.readInt16BE(groupAt)));
}

/** Correlation id, time to hold back, error code. */
function refusalOf(request: Buffer): Buffer {
  const answer = Buffer.alloc(4 + ANSWER_BYTES);
  answer.writeInt32BE(ANSWER_BYTES, 0);
  answer.writeInt32BE(request.readInt32BE(8), 4);
  answer.writeInt16BE(GROUP_CODES.NOT_COORDINATOR, 12);
  return answer;
}
