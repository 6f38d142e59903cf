// Who a token speaks for. The algorithm is pinned by the kind of key that is configured, never by the token's own header, so
// `alg: none` and a public key used as an HMAC secret are both refused. `exp` is required.
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { rememberTokens } from './remembered-tokens.ts';

export type Identity = {
  userId: string;
  username: string;
  /** Has the claim role: "platform-admin". */
  isOperator: boolean;
  /** Milliseconds since 1970 UTC. */
  expiresAt: number;
};

export type TokenFault = { fault: 'token_missing' | 'token_invalid' | 'token_expired' };

export type TokenVerifier = { verify(token: string | undefined): Identity | TokenFault };

const OPERATOR_ROLE = 'platform-admin';
const MAX_TOKEN_CHARACTERS = 8_192;
const MAX_CLAIM_CODE_UNITS = 400;

/**
 * A verifier for HS256 tokens (`secret`) or RS256/ES256 ones (`publicKeyPem`), which remembers the valid ones until they expire.
 * Exactly one of the keys must be given; throws when not, or when the key is not one.
 */
export function createTokenVerifier(keys: {
  secret?: string | undefined;
  publicKeyPem?: string | undefined;
}): TokenVerifier {
  const { key, algorithms } = chooseKey(keys);
  return rememberTokens({
    verify(token) {
      if (token === undefined || token === '') return { fault: 'token_missing' };
      if (token.length > MAX_TOKEN_CHARACTERS) return { fault: 'token_invalid' };
      try {
        return claimsToIdentity(jwt.verify(token, key, { algorithms }));
      } catch (error) {
        return { fault: error instanceof jwt.TokenExpiredError ? 'token_expired' : 'token_invalid' };
      }
    },
  });
}

/** An HS256 token for development and for the project's own tools. */
export function signToken(
  claims: { userId: string; username?: string; isOperator?: boolean },
  secret: string,
  expiresInSeconds: number,
): string {
  const role = claims.isOperator ? { role: OPERATOR_ROLE } : {};
  const payload = { sub: claims.userId, username: claims.username ?? claims.userId, ...role };
  return jwt.sign(payload, secret, { algorithm: 'HS256', expiresIn: expiresInSeconds });
}

/** The token of an `Authorization: Bearer` header, or undefined where there is none. */
export function bearerToken(header: string | undefined): string | undefined {
  const match = header === undefined ? null : /^Bearer +([^\s]+) *$/i.exec(header);
  return match?.[1];
}

export function isTokenFault(value: Identity | TokenFault): value is TokenFault {
  return 'fault' in value;
}

function chooseKey(keys: { secret?: string | undefined; publicKeyPem?: string | undefined }): {
  key: KeyObject;
  algorithms: jwt.Algorithm[];
} {
  if (keys.publicKeyPem !== undefined) {
    if (keys.secret !== undefined) throw new Error('Configure either a token secret or a public key, not both.');
    const key = createPublicKey(keys.publicKeyPem);
    if (key.asymmetricKeyType === 'rsa') return { key, algorithms: ['RS256'] };
    if (key.asymmetricKeyType === 'ec') return { key, algorithms: ['ES256'] };
    throw new Error(`A public key of type ${key.asymmetricKeyType} cannot verify tokens: use RSA or EC P-256.`);
  }
  if (keys.secret === undefined)
    throw new Error('A token secret or a public key is needed: set JWT_SECRET or JWT_PUBLIC_KEY.');
  // As a key object: jsonwebtoken would try a text as a public key first, each time.
  return { key: createSecretKey(keys.secret, 'utf8'), algorithms: ['HS256'] };
}

function claimsToIdentity(claims: string | jwt.JwtPayload): Identity | TokenFault {
  if (typeof claims === 'string' || typeof claims.exp !== 'number') return { fault: 'token_invalid' };
  const userId = firstText(claims.sub, claims.userId, claims.id);
  if (userId === null) return { fault: 'token_invalid' };
  const username = firstText(claims.username, claims.name) ?? userId;
  return { userId, username, isOperator: claims.role === OPERATOR_ROLE, expiresAt: claims.exp * 1_000 };
}

function firstText(...claims: unknown[]): string | null {
  for (const claim of claims) {
    if (typeof claim === 'string' && claim !== '') return isUsable(claim) ? claim : null;
  }
  return null;
}

/** A claim that PostgreSQL and Avro can hold and that is no longer than an id may be. */
function isUsable(claim: string): boolean {
  return claim.length <= MAX_CLAIM_CODE_UNITS && claim.isWellFormed() && !claim.includes('\0');
}
