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
