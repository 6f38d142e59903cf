/* Runs a command to its end, with a deadline, and tells what it said when it fails. */
import { spawn } from 'node:child_process';

export type CommandOptions = {
  readonly timeoutMs: number;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
};

/** A command that could not be started, took too long, or ended with another status than 0. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code = 'command_failed';
  readonly retryable = false;
  readonly output: string;

  constructor(message: string, output: string, options?: ErrorOptions) {
    super(output === '' ? message : `${message}\n${output}`, options);
    this.output = output;
  }
}

const MAX_OUTPUT_CHARACTERS = 20_000;

/**
 * Runs `command` without a shell and without input; resolves to what it wrote, stdout and stderr as they came (the last
 * 20,000 characters of it). Rejects with CommandError. After `timeoutMs` the command is killed.
 */
export function runCommand(command: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { timeoutMs, ...spawnOptions } = options;
  return new Promise((resolve, reject) => {
    let output = '';
    const child = spawn(command, args, {
      ...spawnOptions,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    const collect = (chunk: string): void => {
      output = (output + chunk).slice(-MAX_OUTPUT_CHARACTERS);
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    child.once('error', (error) =>
      reject(new CommandError(`${command} could not be run: ${error.message}`, '', { cause: error })),
    );
    child.once('close', (status, signal) => {
      if (status === 0) resolve(output);
      else {
        const reason = signal === 'SIGKILL' ? `was killed (limit ${timeoutMs} ms)` : `ended with ${status ?? signal}`;
        reject(new CommandError(`${[command, ...args].join(' ')} ${reason}`, output.trim()));
      }
    });
  });
}

/** Whether the command can be run here and ends with status 0; for asking whether something is available. */
export async function commandSucceeds(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<boolean> {
  try {
    await runCommand(command, args, options);
    return true;
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}
