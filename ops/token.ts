// `npm run token -- <username> [--operator] [--days n] [--id user-id]`: prints a token for a user, signed with JWT_SECRET or, where
// that is not set, with the secret that `npm start` keeps in the data folder.
import { parseArgs } from 'node:util';
import { readSecretConfig } from '../config.ts';
import { signToken } from '../platform/auth.ts';
import { readOrCreateSecret } from '../platform/secret-file.ts';

const USAGE = 'Usage: npm run token -- <username> [--operator] [--days n] [--id user-id]\n';
const DAY_SECONDS = 86_400;
const MAX_DAYS = 3_650;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      operator: { type: 'boolean', default: false },
      days: { type: 'string', default: '1' },
      id: { type: 'string' },
    },
  });
  const [username] = positionals;
  const days = Number(values.days);
  if (username === undefined || positionals.length > 1 || !(days > 0 && days <= MAX_DAYS)) throw new Error(USAGE);
  const { JWT_SECRET, jwtSecretFile } = readSecretConfig();
  const secret = JWT_SECRET ?? (await readOrCreateSecret(jwtSecretFile));
  const claims = { userId: values.id ?? username, username, isOperator: values.operator };
  process.stdout.write(`${signToken(claims, secret, Math.round(days * DAY_SECONDS))}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
