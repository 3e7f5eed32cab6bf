// Lets a request in: who its caller is, whether it comes too often, and what of the repository it sees.
import { GenserveError } from '@genserve/runtime';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Services } from '../verbs/verb.js';
import { anonymousAdmin, anonymousGuest, type Caller } from './caller.js';
import { type ApiKey, callerOf, hashOf, readKeys } from './keys.js';
import { type AccessSettings, allowsAnonymous } from './options.js';
import { RestrictedRepository } from './restricted-repository.js';
import { type TokenReader, tokenReader } from './tokens.js';

/** What HTTP headers and gRPC metadata carry alike. */
export interface Credentials {
  readonly authorization: string | undefined;
  readonly apiKey: string | undefined;
}

export interface Admitted {
  readonly caller: Caller;
  readonly services: Services;
}

export interface Admission {
  /** At once where no credentials are asked for. @throws UNAUTHENTICATED, OVERLOADED */
  admit(credentials: Credentials): Admitted | Promise<Admitted>;
}

/** @throws CONFIGURATION_INVALID */
export async function createAdmission(settings: AccessSettings, services: Services): Promise<Admission> {
  const { keys, jwks } = settings;
  if (keys === undefined && jwks === undefined) {
    const everyone = { caller: anonymousAdmin, services };
    return { admit: () => everyone };
  }
  return new Gate(
    keys === undefined ? new Map() : await readKeys(keys),
    jwks === undefined ? undefined : await tokenReader(jwks, settings),
    allowsAnonymous(settings),
    services,
  );
}

class Gate implements Admission {
  readonly #limiters = new Map<string, RateLimiterMemory>();
  readonly #keys: ReadonlyMap<string, ApiKey & Admitted>;

  constructor(
    keys: ReadonlyMap<string, ApiKey>,
    private readonly readToken: TokenReader | undefined,
    private readonly anonymous: boolean,
    private readonly services: Services,
  ) {
    this.#keys = new Map([...keys].map(([hash, key]) => [hash, { ...key, ...this.#admitted(callerOf(key)) }]));
    for (const { name, requestsPerMinute: points } of keys.values()) {
      if (points !== undefined) this.#limiters.set(name, new RateLimiterMemory({ points, duration: 60 }));
    }
  }

  async admit({ authorization, apiKey }: Credentials): Promise<Admitted> {
    const bearer = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
    const given = apiKey ?? bearer;
    if (given === undefined) return this.#withoutCredentials(authorization);
    // An API key may come as a bearer as well.
    const key = this.#keys.get(hashOf(given));
    if (key !== undefined) {
      await this.#count(key.name);
      return key;
    }
    if (bearer !== undefined && apiKey === undefined && this.readToken !== undefined) {
      return this.#admitted(await this.readToken(bearer));
    }
    throw new GenserveError('UNAUTHENTICATED', 'the API key is not known');
  }

  #withoutCredentials(authorization: string | undefined): Admitted {
    if (this.anonymous && authorization === undefined) return this.#admitted(anonymousGuest);
    throw new GenserveError('UNAUTHENTICATED', 'send an API key in X-Api-Key, or a token as Authorization: Bearer');
  }

  #admitted(caller: Caller): Admitted {
    const repository = new RestrictedRepository(this.services.repository, caller);
    return { caller, services: { ...this.services, repository } };
  }

  async #count(name: string): Promise<void> {
    try {
      await this.#limiters.get(name)?.consume(name);
    } catch (refusal) {
      const retryAfterMs = refusal instanceof RateLimiterRes ? refusal.msBeforeNext : 1000;
      throw new GenserveError('OVERLOADED', `the key ${name} has used its requests of this minute`, { retryAfterMs });
    }
  }
}
