// What `npm start` says when it is up: where everything is, and examples that work as they are when pasted into a shell.

export type WelcomeFacts = {
  httpPort: number;
  socketPort: number;
  projectionsPort: number;
  /** Where things lie: `PostgreSQL in ./data` and the like, one line each. */
  servers: readonly string[];
  /** Of the demo user; null where tokens are signed by somebody else. */
  token: string | null;
  startedInMs: number;
};

export const DEMO_USER = 'alice';
const DEFAULT_SOCKET_PORT = 3002;

export function welcomeText(facts: WelcomeFacts): string {
  const { httpPort, socketPort, projectionsPort, servers, token, startedInMs } = facts;
  const origin = `http://localhost:${httpPort}`;
  const socketUrl = `ws://localhost:${socketPort}`;
  const page = socketPort === DEFAULT_SOCKET_PORT ? `${origin}/` : `${origin}/?ws=${socketUrl}`;
  return [
    '',
    `Roomlog is up (${(startedInMs / 1_000).toFixed(1)} s).`,
    '',
    `  page               ${page}`,
    `  REST API           ${origin}/api/v1`,
    `  WebSocket          ${socketUrl}   (socket.io on the same port)`,
    `  health, metrics    ${origin}/ready   http://localhost:${projectionsPort}/metrics`,
    ...servers.map((line) => `  ${line}`),
    '',
    ...(token === null ? withoutToken() : examples({ token, origin, socketUrl })),
    'Ctrl-C stops everything.',
    '',
  ].join('\n');
}

function withoutToken(): string[] {
  return [
    'Tokens are signed with your JWT_SECRET or key; `npm run token -- alice` makes one where it is a secret.',
    '',
  ];
}

function examples({ token, origin, socketUrl }: { token: string; origin: string; socketUrl: string }): string[] {
  const call = `curl -s -H "Authorization: Bearer $TOKEN" -H 'content-type: application/json'`;
  const chat = socketUrl === `ws://localhost:${DEFAULT_SOCKET_PORT}` ? '' : ` --url ${socketUrl}`;
  return [
    `Try it from another terminal, in this folder. A token of the demo user ${DEMO_USER}, good for a day:`,
    '',
    `export TOKEN=${token}`,
    '',
    'Create a room, list the rooms, say something, read it:',
    '',
    `ROOM=$(${call} -d '{"roomid":"lobby","name":"Plaza"}' ${origin}/api/v1/chatroom/create | sed 's/.*"chatroom":{"id":"\\([^"]*\\)".*/\\1/'); echo "$ROOM"`,
    `${call} '${origin}/api/v1/chatroom/rooms?spaceId=lobby'; echo`,
    `${call} -d "{\\"chatroomId\\":\\"$ROOM\\",\\"message\\":\\"Hello over REST\\"}" ${origin}/api/v1/messages; echo`,
    `${call} "${origin}/api/v1/messages?chatroomId=$ROOM"; echo`,
    '',
    'Chat over the WebSocket (without the echo: line by line, until Ctrl-D); tokens for others: npm run token -- bob',
    '',
    `echo 'Hello over the WebSocket' | npm run -s chat -- --room "$ROOM" --token "$TOKEN"${chat}`,
    '',
  ];
}
