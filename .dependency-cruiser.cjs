/* The import rules of the layout (docs/architecture.md): every folder names the folders that it may import, nothing else. */
const FOLDERS = {
  schemas: [],
  documents: ['schemas', 'platform'],
  'event-log': ['schemas', 'platform'],
  platform: [],
  commands: ['schemas', 'event-log', 'platform', 'documents'],
  projections: ['schemas', 'event-log', 'platform'],
  'read-api': ['schemas', 'platform', 'documents'],
  realtime: ['schemas', 'event-log', 'platform', 'documents'],
};
/* Single files of another folder that a folder may import beside the above: the read side shares names of tables and keys
   and the cache port, and reads events that rows hold as the codec reads those of the log; the socket node asks the same queries and sends commands through the commands' own client. */
const FILES = {
  'read-api': '^(projections/(history/tables|cache/(memory-|redis-)?room-cache)|event-log/codec/upcast)\\.ts$',
  realtime: '^(read-api/queries/|commands/client/|projections/history/tables\\.ts$|projections/cache/)',
};

/* What projects events, live or again: everything of the projections but the roots that compose a process. */
const FOLDING = { path: '^projections/', pathNot: '\\.test\\.ts$|^projections/(main|worker|projections-thread)\\.ts$' };
/* The most it may touch besides our own folders. Nothing in it can send anything but to the projection's own PostgreSQL and Redis. */
const HARMLESS = [
  '^(node:)?(assert|assert/strict|buffer|crypto|events|fs|fs/promises|path|stream|stream/promises|timers/promises|url|util)$',
  '(^|/)node_modules/(@types/)?(avsc|immutable|knex|pg|pg-copy-streams|prom-client|zod)/',
];
const HARMLESS_PLATFORM =
  '^platform/(clock|database-faults|env|ids|lifecycle|logger|metrics|postgres|redis|retryable|role|sql|time)\\.ts$';

module.exports = {
  forbidden: [
    ...Object.entries(FOLDERS).map(([folder, allowed]) => ({
      name: `${folder}-imports`,
      severity: 'error',
      from: { path: `^${folder}/`, pathNot: '\\.(test|prop\\.test|int\\.test)\\.ts$' },
      to: {
        path: '^(schemas|documents|event-log|platform|commands|projections|read-api|realtime|tests|bench|ops|client|web|main\\.ts)',
        pathNot: [`^${folder}/`, ...allowed.map((name) => `^${name}/`), ...(FILES[folder] ? [FILES[folder]] : [])],
      },
    })),
    {
      // Nothing behind the codec ever meets an event type that is no longer written.
      name: 'superseded-events',
      severity: 'error',
      from: { pathNot: '^event-log/codec/|\\.test\\.ts$' },
      to: { path: '^schemas/generated/superseded-events\\.ts$' },
    },
    {
      // Side effects have no place in a fold, because it runs again: in a rebuild, a repair, a second version, after a crash.
      name: 'folding-sends-nothing',
      comment: 'see docs/architecture.md, Side effects',
      severity: 'error',
      from: FOLDING,
      to: {
        dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown', 'unknown'],
        pathNot: HARMLESS,
      },
    },
    {
      name: 'folding-sends-nothing-by-platform',
      comment: 'see docs/architecture.md, Side effects',
      severity: 'error',
      from: FOLDING,
      to: { path: '^platform/', pathNot: HARMLESS_PLATFORM, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(node_modules|data|\\.cache)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
  },
};
