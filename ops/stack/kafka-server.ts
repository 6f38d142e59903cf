// Kafka, one node in KRaft mode: broker and controller in one process.
import { randomBytes } from 'node:crypto';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
// For what it puts right in kafkajs: without it, every probe would print a warning of Node's about a negative time-out.
import '../../event-log/kafka/kafkajs-guards.ts';
import { runCommand } from '../../platform/run-command.ts';
import { classArchive, type JavaPrograms } from './java-programs.ts';
import { ProcessServer, type StackServer } from './stack-server.ts';

export type KafkaServerOptions = {
  readonly programs: JavaPrograms;
  readonly dataDir: string;
  readonly pidFile: string;
  readonly port: number;
  readonly controllerPort: number;
  readonly listeners?: readonly KafkaListener[];
};

/** One more port to reach the broker by, where it tells its clients to come back by another one: a proxy's in front of it. */
export type KafkaListener = {
  /** Capital letters and digits. */
  readonly name: string;
  readonly port: number;
  readonly advertisedPort: number;
};

const START_TIMEOUT_MS = 90_000;
const FORMAT_TIMEOUT_MS = 60_000;
const PROBE_TIMEOUT_MS = 3_000;

export function kafkaServer(options: KafkaServerOptions): StackServer {
  const { programs, dataDir, port } = options;
  return new ProcessServer({
    name: 'kafka',
    port,
    pidFile: options.pidFile,
    logFile: join(dataDir, 'kafka.log'),
    timeoutMs: START_TIMEOUT_MS,
    prepare: async () => {
      const archive = await classArchive(programs, 'kafka');
      const propertiesFile = join(dataDir, 'server.properties');
      await mkdir(dataDir, { recursive: true });
      await writeFile(propertiesFile, kafkaProperties(options));
      await format(options, propertiesFile, archive.flags);
      // The log goes to stderr, and so to our log file.
      const logging = [
        '-Dorg.slf4j.simpleLogger.showDateTime=true',
        '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
      ];
      const memory = ['-Xmx512m', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'];
      return {
        command: [
          programs.java,
          ...memory,
          ...archive.flags,
          ...logging,
          '-cp',
          programs.kafkaClassPath,
          'kafka.Kafka',
          propertiesFile,
        ],
        afterStop: archive.keep,
      };
    },
    probe: () => probeBroker(port),
  });
}

/** The broker's configuration: for one node on this machine, and otherwise as strict as the event log demands of a real one. */
export function kafkaProperties(
  options: Pick<KafkaServerOptions, 'dataDir' | 'port' | 'controllerPort' | 'listeners'>,
): string {
  const { dataDir, port, controllerPort, listeners = [] } = options;
  const own = { name: 'PLAINTEXT', port, advertisedPort: port };
  const plain = [own, ...listeners];
  const settings: Readonly<Record<string, string | number | boolean>> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: [...plain, { name: 'CONTROLLER', port: controllerPort }].map(addressOf).join(','),
    'advertised.listeners': plain
      .map(({ name, advertisedPort }) => addressOf({ name, port: advertisedPort }))
      .join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': [...plain, { name: 'CONTROLLER' }]
      .map(({ name }) => `${name}:PLAINTEXT`)
      .join(','),
    'log.dirs': logDirOf(dataDir),
    'auto.create.topics.enable': false,
    'unclean.leader.election.enable': false,
    'group.initial.rebalance.delay.ms': 0,
    // The default, 6 s, is for members far away: here one that died shall be noticed as soon as OWNER_SESSION_MS says.
    'group.min.session.timeout.ms': 1_000,
    'default.replication.factor': 1,
    'min.insync.replicas': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // A broker that was killed may join again only when its old session has run out: 9 s by default.
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    // Enough for the few small compacted topics; the default sets aside a quarter of this heap.
    'log.cleaner.dedupe.buffer.size': 16_777_216,
  };
  return `${Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`;
}

async function format(
  options: KafkaServerOptions,
  propertiesFile: string,
  archiveFlags: readonly string[],
): Promise<void> {
  const { programs, dataDir } = options;
  const isFormatted = await access(join(logDirOf(dataDir), 'meta.properties')).then(
    () => true,
    () => false,
  );
  if (isFormatted) return;
  // The class archive of the broker serves here too; a run that would write one (a fraction of the broker's) must not.
  const flags = archiveFlags.filter((flag) => !flag.startsWith('-XX:ArchiveClassesAtExit'));
  const tool = [
    '-XX:+UseG1GC',
    '-XX:TieredStopAtLevel=1',
    ...flags,
    '-cp',
    programs.kafkaClassPath,
    'kafka.tools.StorageTool',
  ];
  const args = ['format', '--ignore-formatted', '--cluster-id', newClusterId(), '--config', propertiesFile];
  await runCommand(programs.java, [...tool, ...args], { timeoutMs: FORMAT_TIMEOUT_MS });
}

/* 16 bytes in base64url; one that begins with a dash would be read as an option. */
function newClusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

/* An admin client that sees the broker as a member of the cluster: the port alone answers before the broker serves requests. */
async function probeBroker(port: number): Promise<void> {
  const admin = new Kafka({
    clientId: 'stack-probe',
    brokers: [`127.0.0.1:${port}`],
    logLevel: logLevel.NOTHING,
    connectionTimeout: PROBE_TIMEOUT_MS,
    requestTimeout: PROBE_TIMEOUT_MS,
    retry: { retries: 0 },
  }).admin();
  try {
    await admin.connect();
    const { brokers, controller } = await admin.describeCluster();
    if (brokers.length !== 1 || controller === null) throw new Error('the broker has not joined its cluster yet');
  } finally {
    await admin.disconnect();
  }
}

function addressOf({ name, port }: { name: string; port: number }): string {
  return `${name}://127.0.0.1:${port}`;
}

/** Where the broker of a data folder keeps its topics. */
export function logDirOf(dataDir: string): string {
  return join(dataDir, 'log');
}
