// Configuration is read once per role, by <folder>/config.ts, and every fault is reported together: nobody should have to start
// five times to learn of five mistakes.
import { z } from 'zod';

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'config';
  readonly retryable = false;
}

/** The settings in their typed form. Throws ConfigError with one line per fault. An empty variable counts as unset. */
export function readEnv<Shape extends z.ZodRawShape>(
  shape: Shape,
  env: Record<string, string | undefined>,
): z.output<z.ZodObject<Shape>> {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const result = z.object(shape).safeParse(present);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new ConfigError(`The configuration is not usable:\n${lines.join('\n')}`);
}

export const portSetting = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback);
export const countSetting = (fallback: number, min = 1, max = 1_000_000) =>
  z.coerce.number().int().min(min).max(max).default(fallback);
export const logLevelSetting = z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']);

/** What every reader gives, or one ConfigError with the faults of all of them. */
export function readAll<Readers extends Record<string, () => unknown>>(
  readers: Readers,
): { [Name in keyof Readers]: ReturnType<Readers[Name]> } {
  const faults: string[] = [];
  const entries = Object.entries(readers).map(([name, read]) => {
    try {
      return [name, read()];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      faults.push(...error.message.split('\n'));
      return [name, undefined];
    }
  });
  // Several readers may read the same variable, and each of them begins with the same headline.
  if (faults.length > 0) throw new ConfigError([...new Set(faults)].join('\n'));
  return Object.fromEntries(entries) as { [Name in keyof Readers]: ReturnType<Readers[Name]> };
}
