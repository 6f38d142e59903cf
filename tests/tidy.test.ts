// Rules of the project's text that rot unseen, because no compiler holds them.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { CLOSE_CODES } from '../schemas/close-codes.ts';
import { EVENT_TYPES } from '../schemas/generated/events.ts';
import { loadRecords, loadSupersededRecords } from '../schemas/load.ts';
import { REJECTIONS } from '../schemas/rejections.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { isTest, type Source, sources } from './support/sources.ts';

const MAX_LINES = 400;
const code = sources('**/*.{ts,mjs,cjs}');
const product = code.filter(({ path }) => !isTest(path) && !path.startsWith('bench/'));
const tests = code.filter(({ path }) => isTest(path) || path.includes('/contract/') || path.endsWith('-contract.ts'));
const testText = tests.map(({ text }) => text).join('\n');
const spec = sources('docs/spec/*.md');

describe('the text of the project', () => {
  it('reads the environment in config.ts files only', () => {
    const allowed = /(^|\/)config\.ts$|^tests\/support\/stack-env\.ts$|^ops\/install\.mjs$|^tests\/tidy\.test\.ts$/;
    assertNone(linesWith(code, /process\.env\b/).filter(({ path }) => !allowed.test(path)));
  });

  it('takes the names of frames from schemas/wire.ts', () => {
    // Names of one word are words of everyday code too; the others can only mean the frame.
    const names = [...Object.values(CLIENT_FRAMES), ...Object.values(SERVER_FRAMES)].filter((name) => /-/.test(name));
    const literal = new RegExp(`['"\`](${names.join('|')})['"\`]`);
    assertNone(linesWith(product, literal).filter(({ path }) => !/^(schemas|web)\//.test(path)));
  });

  it('writes the name of an event only where the compiler checks it', () => {
    const literal = new RegExp(`['"\`](${EVENT_TYPES.join('|')})['"\`]`);
    const checked = /\bcase '|\btype: '|\btype [!=]== '|Extract<|Exclude<|satisfies|includes\(/;
    const found = linesWith(product, literal).filter(({ path }) => !path.startsWith('schemas/'));
    assertNone(found.filter(({ line }) => !checked.test(line)));
  });

  it('writes to the console only in tools', () => {
    assertNone(
      linesWith(product, /\bconsole\.\w+\(/).filter(({ path }) => !/^(ops|web)\/|^schemas\/generate/.test(path)),
    );
  });

  it(`keeps every file at ${MAX_LINES} lines or less`, () => {
    const files = [...code, ...sources('web/**/*.{js,html,css}')].filter(({ path }) => !path.includes('/generated/'));
    const long = files.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }));
    assertNone(long.filter(({ lines }) => lines > MAX_LINES));
  });

  it('skips no test and singles none out', () => {
    assertNone(linesWith(tests, /\b(describe|it)\.(only|skip)\b|\bx(it|describe)\(|this\.skip\(/));
  });

  it('explains every field of every event schema', () => {
    const records = [...loadRecords().values(), ...loadSupersededRecords().values()];
    const undocumented = records.flatMap((record) => [
      ...(record.doc ? [] : [record.name]),
      ...record.fields.filter(({ doc }) => !doc).map(({ name }) => `${record.name}.${name}`),
    ]);
    assertNone(undocumented);
  });

  it('names every rejection code in a test', () => {
    assertNone(Object.keys(REJECTIONS).filter((name) => !new RegExp(`\\b${name}\\b`).test(testText)));
  });

  it('names every close code in a test', () => {
    const isNamed = (name: string, number: number) => new RegExp(`\\b(${name}|${number})\\b`).test(testText);
    const unnamed = Object.entries(CLOSE_CODES).filter(([name, { code: number }]) => !isNamed(name, number));
    assertNone(unnamed.map(([name]) => name));
  });

  it('names every rule of docs/spec in the title of a test, and no rule that is not there', () => {
    const rules = spec.flatMap(({ text }) => [...text.matchAll(/^\W*([A-Z]{2,8}-\d+)\b/gm)].map(([, id]) => id ?? ''));
    assert.ok(rules.length > 0, 'docs/spec holds rules');
    assertNone(rules.filter((id, index) => rules.indexOf(id) !== index));
    const titles = testText.match(/\b(it|describe)\(\s*[`'"].*/g)?.join('\n') ?? '';
    const prefixes = [...new Set(rules.map((id) => id.replace(/\d+$/, '')))];
    const named = new Set(titles.match(new RegExp(`\\b(${prefixes.join('|')})\\d+\\b`, 'g')));
    assertNone(rules.filter((id) => !named.has(id)));
    assertNone([...named].filter((id) => !rules.includes(id)));
  });
});

describe('the README', () => {
  const readme = sources('README.md').map(({ text }) => text)[0] ?? '';

  it('is there, and not longer than 150 lines', () => {
    assert.ok(readme.length > 0);
    assert.ok(readme.split('\n').length <= 151);
  });

  it('names only npm scripts that exist', () => {
    const { scripts } = packageJson();
    const named = [...readme.matchAll(/\bnpm (?:run )?([a-z][\w:-]*)/g)].map(([, name]) => name ?? '');
    assertNone(named.filter((name) => !['ci', 'install'].includes(name) && !(name in scripts)));
  });

  it('names only endpoints that exist', () => {
    const named = [...readme.matchAll(/\/api\/v1\/[a-z/-]+/g)].map(([path]) => path);
    const served = new Set(product.flatMap(({ text }) => endpointsOf(text)));
    assertNone(named.filter((path) => !served.has(path)));
  });

  it('links only to files that exist', () => {
    const linked = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path]) => path ?? '');
    assertNone(linked.filter((path) => sources(path.replace(/\/$/, '/*')).length === 0));
  });
});

describe('package-lock.json', () => {
  it('lists the packages for every platform, because npm 11 refuses a lock that does not', () => {
    const { packages } = JSON.parse(textOf('package-lock.json')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    const listed = new Set(Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, '')));
    const optional = Object.values(packages).flatMap(({ optionalDependencies }) =>
      Object.keys(optionalDependencies ?? {}),
    );
    assertNone(optional.filter((name) => !listed.has(name)));
  });
});

describe('.env.example', () => {
  it('PLT-3 names exactly the variables that the config.ts files read', () => {
    const setting = /^\s*([A-Z][A-Z0-9_]{3,}): (?:z\b|\w+Setting\b|\w+\()/gm;
    const read = product.flatMap(({ text }) => [...text.matchAll(setting)].map(([, name]) => name ?? ''));
    const named = [...textOf('.env.example').matchAll(/^#? ?([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name);
    assert.deepEqual(named.sort(), [...new Set(read)].sort());
  });

  it('shows the default of every number', () => {
    const numbers = /^\s*([A-Z][A-Z0-9_]{3,}): (?:port|count)Setting\(([\d_]+)/gm;
    const example = textOf('.env.example');
    const defaults = product.flatMap(({ text }) => [...text.matchAll(numbers)]);
    const wanted = defaults.map(([, name, value]) => `# ${name}=${value?.replaceAll('_', '')}`);
    assertNone(wanted.filter((line) => !example.split('\n').includes(line)));
  });
});

type Line = { path: string; number: number; line: string };

/** The lines of code that match, without the comments, which may name anything. */
function linesWith(files: Source[], pattern: RegExp): Line[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const isComment = /^\s*(\/\/|\*|\/\*)/.test(line);
      return !isComment && pattern.test(line) && path !== 'tests/tidy.test.ts'
        ? [{ path, number: index + 1, line }]
        : [];
    }),
  );
}

function assertNone(found: unknown[]): void {
  assert.deepEqual(found, []);
}

function textOf(path: string): string {
  return sources(path)[0]?.text ?? '';
}

function packageJson(): { scripts: Record<string, string> } {
  return JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
}

/** The paths that a file's router serves, below its prefix. */
function endpointsOf(text: string): string[] {
  const prefix = /new Router\(\{ prefix: '([^']+)' \}\)/.exec(text)?.[1];
  if (prefix === undefined) return [];
  return [...text.matchAll(/router\.(?:get|post)\('([^']+)'/g)].map(([, path = '']) =>
    path === '/' ? prefix : prefix + path,
  );
}
