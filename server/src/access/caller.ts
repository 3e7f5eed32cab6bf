// Who a request comes from, and what it may do.

export interface Caller {
  /** For logs and the audit: never a secret. */
  readonly name: string;
  /** May load and unload models. */
  readonly admin: boolean;
  /** Names of models that it may use, with * for any characters; all where absent. */
  readonly models?: readonly string[] | undefined;
}

/** The caller of a server that asks for no credentials. */
export const anonymousAdmin: Caller = { name: 'anonymous', admin: true };
/** One without credentials where others have them. */
export const anonymousGuest: Caller = { name: 'anonymous', admin: false };

export function mayUse({ models }: Caller, name: string): boolean {
  return models === undefined || models.some(pattern => matches(pattern, name));
}

function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}
