// `npm run import -- <file>`: feeds a recorded chat to a running Roomlog through its public interfaces, as an operator who acts for
// the users of the recording. Exit code 0: the file is through; 1: it cannot go on; 2: the command line or the file is wrong;
// 130: interrupted. Run again, it goes on where it stopped.
import jwt from 'jsonwebtoken';
import { readSecretConfig } from '../../config.ts';
import { signToken } from '../../platform/auth.ts';
import { readOrCreateSecret } from '../../platform/secret-file.ts';
import { count, showProgress } from '../progress.ts';
import { type ImportArguments, parseImportArguments, USAGE, UsageError } from './arguments.ts';
import { ChatFileError, type ChatSurvey, readChatLines, surveyChatFile } from './chat-file.ts';
import { type ImportCounts, type ImportResult, ImportRun } from './import-run.ts';
import { createPlanner } from './planner.ts';
import { createRestClient, RefusedError, UnreachableError } from './rest-client.ts';
import { findResumePoint } from './resume.ts';
import { GivingUpError } from './retry.ts';

const EXIT = { done: 0, failed: 1, wrongInput: 2, interrupted: 130 } as const;
const REST_IN_FLIGHT = 32;
const REST_TIMEOUT_MS = 15_000;
const TOKEN_SECONDS = 24 * 60 * 60;
const SAME_KEYPRESS_MS = 300;
const OPERATOR = 'importer';

async function main(args: string[]): Promise<number> {
  const options = parseImportArguments(args);
  const survey = await surveyChatFile(options.file);
  say(describeSurvey(options.file, survey));
  const token = options.token ?? (await makeOperatorToken());
  const rest = createRestClient({ url: options.url, token, connections: REST_IN_FLIGHT, timeoutMs: REST_TIMEOUT_MS });
  try {
    // Asked once without patience: a wrong address should be told at once, not after a minute of trying.
    await rest.get('/health');
    const { fileId, rooms } = survey;
    const { window, space: spaceId } = options;
    const resume = await findResumePoint({ rest, operatorId: userOf(token), fileId, spaceId, rooms, window });
    if (resume.firstLine > 0) say(`${count(resume.firstLine)} events are there already: going on behind them.`);
    const run = new ImportRun({
      lines: readChatLines(options.file),
      planner: createPlanner({ fileId, roomIdByName: resume.roomIdByName }),
      rest,
      wsUrl: options.ws,
      token,
      window,
      restInFlight: REST_IN_FLIGHT,
      firstLine: resume.firstLine,
      linesThere: resume.linesThere,
    });
    return await drive(run, survey, options);
  } finally {
    rest.close();
  }
}

async function drive(run: ImportRun, survey: ChatSurvey, options: ImportArguments): Promise<number> {
  const startedAt = performance.now();
  const firstLine = run.counts.linesDone;
  stopOnFirstSignal(run);
  const progress = showProgress({
    out: process.stdout,
    total: survey.lines,
    read: () => ({ done: run.counts.linesDone, refused: sum(run.counts.refusedByCode) }),
    now: () => performance.now(),
  });
  let result: ImportResult;
  try {
    result = await run.run();
  } finally {
    progress.stop();
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const events = result.linesDone - firstLine;
  say(`${count(events)} events in ${seconds.toFixed(1)} s: ${count(Math.round(events / seconds))}/s.`);
  for (const line of describeResult(result)) say(line);
  if (result.linesDone >= survey.lines) return EXIT.done;
  say(`Interrupted. To go on: npm run import -- ${options.file}, with the same options.`);
  return EXIT.interrupted;
}

/**
 * The first Ctrl-C lets what is under way be answered, the next one ends at once. Both leave nothing that a next run cannot mend.
 * npm hands a terminal's Ctrl-C on to a program that had it from the terminal already, so one keypress may arrive twice.
 */
function stopOnFirstSignal(run: ImportRun): void {
  let firstAt: number | null = null;
  const onSignal = (): void => {
    firstAt ??= performance.now();
    if (performance.now() - firstAt > SAME_KEYPRESS_MS) process.exit(EXIT.interrupted);
    run.stop();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}

async function makeOperatorToken(): Promise<string> {
  const { JWT_SECRET, jwtSecretFile } = readSecretConfig();
  const secret = JWT_SECRET ?? (await readOrCreateSecret(jwtSecretFile));
  return signToken({ userId: OPERATOR, username: OPERATOR, isOperator: true }, secret, TOKEN_SECONDS);
}

/** The server checks tokens; the import only has to know its own name. */
function userOf(token: string): string {
  const claims = jwt.decode(token, { json: true });
  return String(claims?.sub ?? claims?.userId ?? claims?.id ?? '');
}

function describeSurvey(file: string, { lines, rooms, countByType }: ChatSurvey): string {
  const kinds = Object.entries(countByType).map(([type, number]) => `${type} ${count(number)}`);
  return `${file}: ${count(lines)} events in ${rooms.length} rooms (${kinds.join(', ')}).`;
}

function describeResult(result: ImportCounts & ImportResult): string[] {
  const refusals = [...result.refusedByCode].map(([code, number]) => `${code} ${count(number)}`);
  const lines = [
    `Sent: ${count(result.messages)} messages, ${count(result.memberships)} joins and leaves.`,
    `Refused: ${refusals.length === 0 ? 'none' : refusals.join(', ')}.`,
  ];
  if (result.lostReplies > 0)
    lines.push(`Replies to what is not a message any more, sent as plain messages: ${count(result.lostReplies)}.`);
  if (result.misplaced > 0)
    lines.push(`Messages that stand behind later ones, because the server was busy: ${count(result.misplaced)}.`);
  return lines;
}

function sum(countByCode: ReadonlyMap<string, number>): number {
  return [...countByCode.values()].reduce((total, number) => total + number, 0);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isWrongInput = error instanceof UsageError || error instanceof ChatFileError;
  const isExpected =
    isWrongInput ||
    error instanceof UnreachableError ||
    error instanceof GivingUpError ||
    error instanceof RefusedError;
  if (!isExpected) throw error;
  process.stderr.write(`import: ${error.message}\n${error instanceof UsageError ? `\n${USAGE}` : ''}`);
  process.exitCode = isWrongInput ? EXIT.wrongInput : EXIT.failed;
}
