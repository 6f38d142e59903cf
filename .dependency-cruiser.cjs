/* The import rules of the layout (docs/architecture.md): every folder names the folders that it may import, nothing else. */
const FOLDERS = {
  schemas: [],
  'event-log': ['schemas', 'platform'],
  platform: [],
  commands: ['schemas', 'event-log', 'platform'],
  projections: ['schemas', 'event-log', 'platform'],
  'read-api': ['schemas', 'platform'],
  realtime: ['schemas', 'event-log', 'platform'],
};
/* Single files of another folder that a folder may import beside the above: the read side shares names of tables and keys
   and the cache port, and reads events that rows hold as the codec reads those of the log; the socket node asks the same queries and sends commands through the commands' own client. */
const FILES = {
  'read-api': '^(projections/(history/tables|cache/(memory-|redis-)?room-cache)|event-log/codec/upcast)\\.ts$',
  realtime: '^(read-api/queries/|commands/client/|projections/history/tables\\.ts$|projections/cache/)',
};

module.exports = {
  forbidden: [
    ...Object.entries(FOLDERS).map(([folder, allowed]) => ({
      name: `${folder}-imports`,
      severity: 'error',
      from: { path: `^${folder}/`, pathNot: '\\.(test|prop\\.test|int\\.test)\\.ts$' },
      to: {
        path: '^(schemas|event-log|platform|commands|projections|read-api|realtime|tests|bench|ops|client|web|main\\.ts)',
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
