// Another version of the projection's code: a folder, or a commit of this repository, which is unpacked into a temporary folder for as
// long as it is needed. What is used of it: projections/history/create-tables.sql, and createHistoryProjection(schema) of
// history-projection.ts beside it, which says how events are written.
import { mkdtemp, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CommandError, runCommand } from '../../platform/run-command.ts';
import { type ReplayedProjection, replayedHistory } from '../../projections/replay/replayed-projection.ts';
import { type TableProjection, UnprojectableError } from '../../projections/table-projection.ts';
import { UsageError } from './exits.ts';

const REPOSITORY = new URL('../../', import.meta.url).pathname;
const HISTORY_FOLDER = join('projections', 'history');
const TABLES_FILE = 'create-tables.sql';
const CODE_FILE = 'history-projection.ts';
const GIT = { cwd: REPOSITORY, timeoutMs: 60_000 };

/** That code failed at what it was made for. */
class OtherCodeError extends Error {
  override readonly name = 'OtherCodeError';
  readonly code = 'other_code';
  readonly retryable = false;
}

/** `source` is a path, or where there is none of that name, a git ref. Throws UsageError; cleans up behind itself. */
export async function withOtherCode<Result>(
  source: string,
  use: (projection: ReplayedProjection) => Promise<Result>,
): Promise<Result> {
  const useFrom = async (root: string): Promise<Result> => {
    const projection = await loadFrom(root, source);
    return use(projection).catch((error: unknown) => {
      throw isRefusedSql(error) ? new OtherCodeError(`the code of "${source}" fails: ${sqlFault(error)}`) : error;
    });
  };
  if (await isThere(source)) return useFrom(resolve(source));
  const commit = await findCommit(source);
  const folder = await mkdtemp(join(tmpdir(), 'roomlog-code-'));
  try {
    const archive = join(folder, 'code.tar');
    await runCommand('git', ['archive', '--format=tar', '-o', archive, commit], GIT);
    await runCommand('tar', ['-xf', archive, '-C', folder], GIT);
    // That code's packages are taken to be those of this one.
    await symlink(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
    return await useFrom(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function isThere(path: string): Promise<boolean> {
  // Whatever keeps it from being looked at, it cannot be loaded from there.
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function findCommit(ref: string): Promise<string> {
  try {
    const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`];
    return (await runCommand('git', args, GIT)).trim();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new UsageError(`"${ref}" is neither a folder nor a git ref of this repository`);
  }
}

async function loadFrom(root: string, source: string): Promise<ReplayedProjection> {
  const folders = [root, join(root, HISTORY_FOLDER)];
  for (const folder of folders) {
    const files = [join(folder, TABLES_FILE), join(folder, CODE_FILE)] as const;
    if (!(await Promise.all(files.map(isThere))).every(Boolean)) continue;
    const [tablesFile, code] = files.map((file) => pathToFileURL(file));
    if (tablesFile !== undefined && code !== undefined)
      return toProjection(tablesFile, await loadCode(code, source), source);
  }
  throw new UsageError(
    `"${source}" has no projection of the history: ${join(HISTORY_FOLDER, CODE_FILE)} and ${TABLES_FILE}`,
  );
}

type CreateProjection = (schema: string) => Pick<TableProjection, 'write'>;

async function loadCode(file: URL, source: string): Promise<CreateProjection> {
  let code: unknown;
  try {
    code = await import(file.href);
  } catch (error) {
    throw new UsageError(`the code of "${source}" cannot be loaded`, { cause: error });
  }
  const create =
    typeof code === 'object' && code !== null && 'createHistoryProjection' in code && code.createHistoryProjection;
  if (typeof create === 'function') return create as CreateProjection;
  throw new UsageError(`the code of "${source}" has no createHistoryProjection(schema)`);
}

function toProjection(tablesFile: URL, create: CreateProjection, source: string): ReplayedProjection {
  const here = replayedHistory();
  return {
    ...here,
    tablesFile,
    into(schema) {
      const { write } = create(schema);
      if (typeof write !== 'function') throw new UsageError(`the projection of "${source}" has no write(tx, events)`);
      return {
        name: here.name,
        version: here.version,
        write: (tx, events) =>
          write(tx, events).catch((error: unknown) => {
            throw toKnownError(error, source);
          }),
      };
    },
  };
}

/** The other code's classes are not ours, though they have the same names. */
function toKnownError(error: unknown, source: string): unknown {
  if (!(error instanceof Error)) return new OtherCodeError(`the code of "${source}" fails: ${String(error)}`);
  if (error.name === 'UnprojectableError') return new UnprojectableError(error.message);
  // What PostgreSQL says means the same wherever it is said: that values cannot be stored, or that it is away.
  if ('code' in error) return error;
  return new OtherCodeError(`the code of "${source}" fails`, { cause: error });
}

/** PostgreSQL refused a statement, and not because it is away: the code's tables and statements do not go together. */
function isRefusedSql(error: unknown): error is Error {
  return error instanceof Error && 'severity' in error && !('retryable' in error);
}

/** knex puts the whole statement in front of what PostgreSQL said. */
function sqlFault({ message }: Error): string {
  return message.slice(message.lastIndexOf(' - ') + 1).replace(/^- /, '');
}
