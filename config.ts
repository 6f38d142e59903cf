// The settings of all roles in one process. What a single role reads stands in its own config.ts; .env.example lists all of them.
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { readEnv } from './platform/env.ts';

const secretSettings = {
  DATA_DIR: z.string().default('./data'),
  JWT_SECRET: z.string().optional(),
};

/** Where the secret of the tokens is: given, or kept in the data folder. */
export function readSecretConfig(): { JWT_SECRET: string | undefined; jwtSecretFile: string } {
  const { JWT_SECRET, DATA_DIR } = readEnv(secretSettings, process.env);
  return { JWT_SECRET, jwtSecretFile: join(resolve(DATA_DIR), 'jwt-secret') };
}
