// Time comes in through here, so that tests can hold it.
export type Clock = { now(): number };

/** Milliseconds since 1970 UTC. */
export const systemClock: Clock = { now: () => Date.now() };
