// Where integration tests find their servers. Every value is read when it is asked for, so a test file asks only for what it
// needs, and it fails where a server is missing: a skipped test would claim what nobody saw.

/** The servers of the running stack, and the programs that tests drive; each throws a clear error when it is not set. */
export const stackEnv = {
  kafkaBrokers: (): string[] => wanted('KAFKA_BROKERS').split(','),
  schemaRegistryUrl: (): string => wanted('SCHEMA_REGISTRY_URL'),
  databaseUrl: (): string => wanted('DATABASE_URL'),
  redis: (): { host: string; port: number } => ({ host: wanted('REDIS_HOST'), port: Number(wanted('REDIS_PORT')) }),
  chromium: (): string => wanted('CHROMIUM'),
  /** An interpreter that has fastavro and kafka-python. */
  python: (): string => wanted('PYTHON'),
} as const;

function wanted(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') {
    throw new Error(`${name} is not set: run the tests with npm test, or start npm run stack and use what it prints`);
  }
  return value;
}
