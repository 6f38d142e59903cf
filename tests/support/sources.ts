// The project's own files, for the tests that hold its text to rules.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Source = { path: string; text: string };

export const PROJECT_ROOT = fileURLToPath(new URL('../../', import.meta.url));
const NOT_OURS = /(^|\/)(node_modules|data|\.cache|coverage|\.git)$/;

/** Every file that the pattern (of node:fs glob, from the project's root) matches, with its text. */
export function sources(pattern: string): Source[] {
  const paths = globSync(pattern, { cwd: PROJECT_ROOT, exclude: (path) => NOT_OURS.test(path) });
  return paths.sort().map((path) => ({ path, text: readFileSync(join(PROJECT_ROOT, path), 'utf8') }));
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || path.startsWith('tests/');
}
