// Tokens that were found valid are not checked again until they expire: checking a signature is half of what a reconnect costs.
import { hash } from 'node:crypto';
import type { Identity, TokenVerifier } from './auth.ts';

export type RememberOptions = {
  /** Milliseconds since 1970 UTC. */
  now: () => number;
  /** Tokens remembered; at the bound the one that was checked first is forgotten, and checked again when it comes. */
  maxTokens: number;
};

const DEFAULTS: RememberOptions = { now: Date.now, maxTokens: 50_000 };

/**
 * The same verifier with a memory. Faults are not remembered, so that guessing costs the guesser its place in no list. What is kept
 * is a digest of the token (SHA-256), not the token: it is smaller, and of no use to who reads the process's memory.
 */
export function rememberTokens(verifier: TokenVerifier, options: Partial<RememberOptions> = {}): TokenVerifier {
  const { now, maxTokens } = { ...DEFAULTS, ...options };
  const identityByDigest = new Map<string, Identity>();
  return {
    verify(token) {
      if (token === undefined) return verifier.verify(token);
      const digest = hash('sha256', token, 'binary');
      const known = identityByDigest.get(digest);
      if (known !== undefined) {
        if (now() < known.expiresAt) return known;
        identityByDigest.delete(digest);
      }
      const identity = verifier.verify(token);
      if ('fault' in identity) return identity;
      if (identityByDigest.size >= maxTokens) identityByDigest.delete(identityByDigest.keys().next().value ?? '');
      identityByDigest.set(digest, identity);
      return identity;
    },
  };
}
