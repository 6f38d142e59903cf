// The Java programs of the stack: downloads them by Maven, once, and starts their virtual machines quickly.
import { createHash } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { identityOf } from '../../platform/process-identity.ts';
import { runCommand } from '../../platform/run-command.ts';
import { ensureTools } from './ensure-tools.ts';

export type JavaPrograms = {
  readonly java: string;
  /** Class path of Kafka. */
  readonly kafkaClassPath: string;
  /** The registry's runnable jar; the ones it needs lie beside it. */
  readonly registryJar: string;
  readonly archiveDir: string;
};

/** The flags for one start of a virtual machine, and what to do once it has ended. */
export type ClassArchive = { readonly flags: readonly string[]; readonly keep: () => Promise<void> };

const POM = fileURLToPath(new URL('pom.xml', import.meta.url));
const MAVEN_TIMEOUT_MS = 900_000;
const PROBE_TIMEOUT_MS = 30_000;

/** Downloads what pom.xml names into the cache folder unless it is there. Rejects with MissingToolsError or CommandError. */
export async function ensureJavaPrograms(
  java: string,
  cacheDir: string,
  onProgress: (line: string) => void,
): Promise<JavaPrograms> {
  const dir = join(cacheDir, `java-${shortHash(await readFile(POM, 'utf8'))}`);
  if (!(await exists(dir))) await download(dir, cacheDir, onProgress);
  const kafkaJars = (await readdir(join(dir, 'kafka'))).filter((name) => name.endsWith('.jar')).sort();
  const registryJar = (await readdir(join(dir, 'registry'))).find((name) => name.endsWith('-runner.jar'));
  if (kafkaJars.length === 0 || registryJar === undefined) {
    throw new Error(`${dir} is incomplete: remove it, and it is downloaded again`);
  }
  const version = await runCommand(java, ['-version'], { timeoutMs: PROBE_TIMEOUT_MS });
  return {
    java,
    kafkaClassPath: kafkaJars.map((name) => join(dir, 'kafka', name)).join(':'),
    registryJar: join(dir, 'registry', registryJar),
    archiveDir: join(cacheDir, `java-classes-${shortHash(`${version}\n${dir}`)}`),
  };
}

/**
 * An archive of the program's loaded classes, which the virtual machine maps instead of loading and verifying each one anew: it
 * makes both servers start in about a third of the time. The first run has none and writes it at its orderly end (which then
 * takes 3 s longer); `keep` makes it the one for later runs. A stale or missing archive costs time, never correctness.
 */
export async function classArchive(programs: JavaPrograms, name: string): Promise<ClassArchive> {
  const archive = join(programs.archiveDir, `${name}.jsa`);
  const quiet = ['-Xshare:auto', '-Xlog:disable', '-Xlog:all=error:stderr'];
  if (await exists(archive)) {
    return { flags: [...quiet, `-XX:SharedArchiveFile=${archive}`], keep: () => Promise.resolve() };
  }
  await mkdir(programs.archiveDir, { recursive: true });
  const draft = `${archive}.new-${process.pid}`;
  return {
    flags: [...quiet, `-XX:ArchiveClassesAtExit=${draft}`],
    keep: async () => {
      if (await exists(draft)) await rename(draft, archive);
    },
  };
}

/* Into a folder beside, then renamed: an interrupted download is never taken for a whole one. */
async function download(dir: string, cacheDir: string, onProgress: (line: string) => void): Promise<void> {
  const { maven } = await ensureTools(['maven'], { cacheDir, onProgress });
  onProgress('java: downloading Kafka and the schema registry (Maven)');
  await removeAbandoned(dir);
  const draft = `${dir}.new-${process.pid}`;
  await mkdir(draft, { recursive: true });
  try {
    const goals = ['dependency:copy-dependencies@kafka', 'dependency:unpack@registry'];
    const flags = ['--batch-mode', '--quiet', '--no-transfer-progress', '--strict-checksums'];
    await runCommand(maven, [...flags, '--file', POM, `-Dstack.output=${draft}`, ...goals], {
      timeoutMs: MAVEN_TIMEOUT_MS,
      cwd: draft,
    });
    await rename(draft, dir);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Somebody else finished the same download first.
    if (await exists(dir)) return;
    throw error;
  }
}

async function removeAbandoned(dir: string): Promise<void> {
  const start = `${basename(dir)}.new-`;
  await mkdir(dirname(dir), { recursive: true });
  for (const name of await readdir(dirname(dir))) {
    if (!name.startsWith(start)) continue;
    if ((await identityOf(Number(name.slice(start.length)))) === undefined) {
      await rm(join(dirname(dir), name), { recursive: true, force: true });
    }
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
