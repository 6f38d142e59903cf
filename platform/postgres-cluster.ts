/* Creates the files of a PostgreSQL cluster, whole or not at all.
 *
 * A data folder holds `cluster/` (PostgreSQL's own), `password` (the superuser's, readable by us alone) and `postgres.log`. All is
 * made in a folder beside it, which is then renamed: a crash in the middle leaves nothing half-made under the final name, and of
 * two processes that begin at the same time one wins and the other uses what the winner made.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { giveTo, type PostgresAccount, type PostgresPrograms } from './postgres-account.ts';
import { identityOf } from './process-identity.ts';
import { runCommand } from './run-command.ts';

/** The data folder holds something that is not a PostgreSQL cluster of ours. */
export class ForeignDataError extends Error {
  override readonly name = 'ForeignDataError';
  readonly code = 'foreign_data';
  readonly retryable = false;
}

/** The name of the superuser that the clusters are made with, and which Roomlog connects as. */
export const POSTGRES_USER = 'roomlog';

const INITDB_TIMEOUT_MS = 120_000;

/** PostgreSQL's own folder inside a data folder. */
export function clusterDirOf(dataDir: string): string {
  return join(dataDir, 'cluster');
}

/** Makes the cluster unless it is there; resolves to the superuser's password and whether it was made now. */
export async function ensureCluster(
  dataDir: string,
  programs: PostgresPrograms,
  account: PostgresAccount,
): Promise<{ readonly password: string; readonly created: boolean }> {
  const created = !(await hasCluster(dataDir));
  if (created) await createCluster(dataDir, programs, account);
  return { password: (await readFile(join(dataDir, 'password'), 'utf8')).trim(), created };
}

async function hasCluster(dataDir: string): Promise<boolean> {
  const names = await listIfPresent(dataDir);
  if (names.length === 0) return false;
  if (names.includes('password') && (await listIfPresent(clusterDirOf(dataDir))).includes('PG_VERSION')) return true;
  throw new ForeignDataError(`${dataDir} is not empty, and what is in it is not a PostgreSQL cluster made by Roomlog`);
}

async function createCluster(dataDir: string, programs: PostgresPrograms, account: PostgresAccount): Promise<void> {
  await removeAbandoned(dataDir);
  const draft = `${dataDir}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
  await mkdir(draft, { mode: 0o700 });
  try {
    const passwordFile = join(draft, 'password');
    await writeFile(passwordFile, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 });
    await giveTo(account, draft);
    const [program = '', ...args] = [...account.prefix, programs.initdb, ...initdbArgs(draft, passwordFile)];
    await runCommand(program, args, { timeoutMs: INITDB_TIMEOUT_MS, ...account.owner });
    await rename(draft, dataDir);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (await hasCluster(dataDir)) return;
    throw error;
  }
}

/* The order of texts is that of their code points, equal on every machine whatever is installed there; upper and lower case are
   those of Unicode, which the plain C locale would know for ASCII alone. */
function initdbArgs(draft: string, passwordFile: string): readonly string[] {
  return [
    `--pgdata=${clusterDirOf(draft)}`,
    `--username=${POSTGRES_USER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
  ];
}

/* Drafts of processes that died while making one. */
async function removeAbandoned(dataDir: string): Promise<void> {
  const start = `${basename(dataDir)}.new-`;
  for (const name of await readdir(dirname(dataDir))) {
    if (!name.startsWith(start)) continue;
    const pid = Number.parseInt(name.slice(start.length), 10);
    if ((await identityOf(pid)) === undefined) await rm(join(dirname(dataDir), name), { recursive: true, force: true });
  }
}

async function listIfPresent(dir: string): Promise<readonly string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
