// What our own processes know each other by: read by both sides, the commands role and the socket nodes.
import { z } from 'zod';
import { ConfigError } from '../../platform/env.ts';

/** A part of both sides' settings. */
export const internalSecretSettings = {
  /** JWT_SECRET is taken where it is not set. */
  INTERNAL_SECRET: z.string().min(16).optional(),
};

/** The secret. Throws ConfigError where there is none. */
export function toInternalSecret(env: {
  INTERNAL_SECRET?: string | undefined;
  JWT_SECRET?: string | undefined;
}): string {
  const secret = env.INTERNAL_SECRET ?? env.JWT_SECRET;
  if (secret !== undefined) return secret;
  throw new ConfigError(
    'The commands role and the socket nodes need a secret in common: set INTERNAL_SECRET, or JWT_SECRET, on both sides.',
  );
}
