// JSON Web Tokens: signed by a key of the configured set, in time, for this audience. The claim `models` lists what may be
// used (all where absent), and the scope `genserve:admin` allows to load and unload.
import { readFile } from 'node:fs/promises';
import { GenserveError } from '@genserve/runtime';
import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { Caller } from './caller.js';
import type { AccessSettings } from './options.js';

const adminScope = 'genserve:admin';

export type TokenReader = (token: string) => Promise<Caller>;

/** @throws CONFIGURATION_INVALID for a set of keys that cannot be read */
export async function tokenReader(jwks: string, { issuer, audience }: AccessSettings): Promise<TokenReader> {
  const keys = await keySet(jwks);
  const expected = { ...(issuer !== undefined && { issuer }), ...(audience !== undefined && { audience }) };
  return async token => {
    try {
      return callerOf((await jwtVerify(token, keys, expected)).payload);
    } catch (cause) {
      const why = cause instanceof errors.JOSEError ? cause.message : 'its signature cannot be checked';
      throw new GenserveError('UNAUTHENTICATED', `Authorization: the token is not valid: ${why}`, {
        field: 'Authorization',
        cause,
      });
    }
  };
}

async function keySet(jwks: string): Promise<JWTVerifyGetKey> {
  try {
    if (/^https?:/.test(jwks)) return createRemoteJWKSet(new URL(jwks));
    return createLocalJWKSet(JSON.parse(await readFile(jwks, 'utf8')));
  } catch (cause) {
    const message = `access.jwks: ${jwks} is neither a URL nor a file of keys`;
    throw new GenserveError('CONFIGURATION_INVALID', message, { field: 'access.jwks', cause });
  }
}

function callerOf({ sub, scope, models }: JWTPayload): Caller {
  const scopes = typeof scope === 'string' ? scope.split(' ') : [];
  const names = Array.isArray(models) ? models.filter(name => typeof name === 'string') : undefined;
  return { name: sub ?? 'token', admin: scopes.includes(adminScope), models: names };
}
