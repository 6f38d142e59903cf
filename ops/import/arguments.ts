// The command line of the import.
import { parseArgs } from 'node:util';

export type ImportArguments = {
  file: string;
  url: URL;
  ws: URL;
  token: string | undefined;
  space: string;
  window: number;
};

/** The command line does not say what to do; the message does. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'usage';
  readonly retryable = false;
}

export const USAGE = `npm run import -- <file.jsonl[.gz]> [options]

  --url <url>       the REST API                          (http://localhost:3000)
  --ws <url>        the WebSocket                         (ws://localhost:3002)
  --token <token>   a token with the operator's role      (made with the running development server's own secret)
  --space <id>      the space in which rooms are created  (irc)
  --window <lines>  lines under way at once, 1 to ${windowBounds().max}    (512)
`;

/** Throws UsageError. */
export function parseImportArguments(args: string[]): ImportArguments {
  const { values, positionals } = parse(args);
  const [file, ...others] = positionals;
  if (file === undefined || others.length > 0) throw new UsageError('name exactly one file');
  const window = Number(values.window ?? 512);
  const { min, max } = windowBounds();
  if (!Number.isInteger(window) || window < min || window > max)
    throw new UsageError(`--window must be a whole number from ${min} to ${max}`);
  return {
    file,
    url: parseUrl('--url', values.url ?? 'http://localhost:3000', ['http:', 'https:']),
    ws: parseUrl('--ws', values.ws ?? 'ws://localhost:3002', ['ws:', 'wss:']),
    token: values.token,
    space: values.space ?? 'irc',
    window,
  };
}

/** A larger window would not be covered by the commands whose answers the server remembers (LIMITS.rememberedCommands). */
function windowBounds(): { min: number; max: number } {
  return { min: 1, max: 512 };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        url: { type: 'string' },
        ws: { type: 'string' },
        token: { type: 'string' },
        space: { type: 'string' },
        window: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function parseUrl(option: string, text: string, protocols: string[]): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !protocols.includes(url.protocol))
    throw new UsageError(`${option} must be a URL that begins with ${protocols.join('// or ')}//`);
  return url;
}
