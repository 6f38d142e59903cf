import tseslint from 'typescript-eslint';

// Biome formats and lints; these five rules need types, which Biome does not have.
export default tseslint.config(
  {
    ignores: [
      'node_modules/**',
      'data/**',
      '.cache/**',
      'schemas/generated/**',
      'web/**',
      '**/*.js',
      '**/*.cjs',
      '**/*.mjs',
    ],
  },
  {
    files: ['**/*.ts'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
    },
  },
  {
    // What events are projected with sends nothing: the same events are projected again (docs/architecture.md, Side effects). What it
    // may import stands in .dependency-cruiser.cjs; here is what needs no import.
    files: ['projections/**/*.ts'],
    ignores: ['**/*.test.ts', 'projections/{main,worker,projections-thread}.ts'],
    rules: {
      'no-restricted-globals': ['error', 'fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest', 'BroadcastChannel'],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'CallExpression[callee.property.name=/^(append|barrier|publish|spublish)$/]',
          message: 'A projection neither appends to the log nor publishes: it runs again.',
        },
        { selector: 'ImportExpression', message: 'A projection imports what the import rules can see.' },
      ],
    },
  },
);
