// `npm run chat -- --room <id> --token <token> [--url ws://localhost:3002]`: a chat in the terminal over the plain WebSocket. Each
// line typed is sent as a message; what comes in is printed. When its input ends it waits for the answers and leaves, so that
// `echo hello | npm run chat -- …` works too.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';
import { CLIENT_FRAMES, type MessageView, SERVER_FRAMES } from '../schemas/wire.ts';

type Frame = { event?: string; ref?: number; data?: unknown; error?: { code: string; message: string } };

const USAGE = 'Usage: npm run chat -- --room <id> --token <token> [--url ws://localhost:3002]';
const ANSWER_TIMEOUT_MS = 10_000;
const JOIN_REF = 0;

class Chat {
  readonly #socket: WebSocket;
  readonly #roomId: string;
  readonly #waiting = new Map<number, (frame: Frame) => void>();
  readonly #received = new Set<string>();
  #lastRef = JOIN_REF;

  constructor(socket: WebSocket, roomId: string) {
    this.#socket = socket;
    this.#roomId = roomId;
  }

  /** Joins, sends every line of the input, and resolves when it has ended and all is answered. Rejects when refused. */
  async run(input: NodeJS.ReadableStream): Promise<void> {
    this.#socket.on('message', (data: Buffer) => this.#receive(JSON.parse(data.toString('utf8')) as Frame));
    const closed = once(this.#socket, 'close').then(([code, reason]) => {
      throw new Error(`the connection was closed with ${String(code)}: ${String(reason)}`);
    });
    await Promise.race([closed, this.#talk(input)]);
  }

  async #talk(input: NodeJS.ReadableStream): Promise<void> {
    await this.#ask(CLIENT_FRAMES.joinRoom, { roomId: this.#roomId });
    const answers: Promise<Frame>[] = [];
    // Opened only now: lines that come before somebody iterates would be lost.
    for await (const message of createInterface({ input })) {
      if (message !== '') answers.push(this.#ask(CLIENT_FRAMES.sendMessage, { roomId: this.#roomId, message }));
    }
    const sent = (await Promise.all(answers)).map(({ data }) => (data as { message: { id: string } }).message.id);
    // Their own messages come back to senders too; leaving before that would show only half of the talk.
    while (!sent.every((id) => this.#received.has(id))) await once(this.#socket, 'message');
  }

  #ask(event: string, data: object): Promise<Frame> {
    this.#lastRef += 1;
    const ref = this.#lastRef;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${event} got no answer`)), ANSWER_TIMEOUT_MS);
      this.#waiting.set(ref, (frame) => {
        clearTimeout(timer);
        if (frame.error) reject(new Error(`${event} was refused with ${frame.error.code}: ${frame.error.message}`));
        else resolve(frame);
      });
      this.#socket.send(JSON.stringify({ event, data, ref }));
    });
  }

  #receive(frame: Frame): void {
    if (frame.ref !== undefined) {
      this.#waiting.get(frame.ref)?.(frame);
      this.#waiting.delete(frame.ref);
    } else if (frame.event === SERVER_FRAMES.receiveMessage) {
      const message = frame.data as MessageView;
      this.#received.add(message.id);
      say(messageLine(message));
    } else if (frame.event === SERVER_FRAMES.recentMessages) {
      for (const message of (frame.data as { messages: MessageView[] }).messages) say(messageLine(message));
    } else if (frame.event !== undefined && frame.event !== SERVER_FRAMES.ready) {
      say(`-- ${frame.event} ${JSON.stringify(frame.data)}`);
    }
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      room: { type: 'string' },
      token: { type: 'string' },
      url: { type: 'string', default: 'ws://localhost:3002' },
    },
  });
  if (values.room === undefined || values.token === undefined) throw new Error(USAGE);
  const socket = new WebSocket(values.url, { headers: { authorization: `Bearer ${values.token}` } });
  await once(socket, 'open');
  await new Chat(socket, values.room).run(process.stdin);
  socket.removeAllListeners('close');
  socket.close();
}

function messageLine({ timestamp, username, message }: MessageView): string {
  return `[${timestamp.slice(11, 19)}] ${username}: ${message}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
