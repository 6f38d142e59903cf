// The one place of the tools that looks at the environment: to hand it on to the programs that they start.

/** The environment of a child process: ours, with these on top; undefined takes a variable away. */
export function childEnv(changes: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const entries = Object.entries({ ...process.env, ...changes });
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}
