// Where other machines reach this one, as far as it can be told from here.
import { networkInterfaces } from 'node:os';

/** The first address of this machine that is not its own loopback's, IPv4 before IPv6; 127.0.0.1 where it has no other. */
export function ownAddress(): string {
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  const chosen = found.find(({ family }) => family === 'IPv4') ?? found[0];
  if (chosen === undefined) return '127.0.0.1';
  return chosen.family === 'IPv6' ? `[${chosen.address}]` : chosen.address;
}
