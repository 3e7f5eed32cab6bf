// Who may speak to the server, and by what: the sections `tls` and `access` of its configuration.
import { GenserveError } from '@genserve/runtime';
import { z } from 'zod';

export const tlsSchema = z.strictObject({
  /** Files in PEM. Both or neither. */
  certificate: z.string().optional(),
  key: z.string().optional(),
  /** Certificates of those who may sign callers': with it, a caller without one is turned away (mutual TLS). */
  clientAuthority: z.string().optional(),
});

export const accessSchema = z.strictObject({
  /** File of API keys, made by `genserve key`. */
  keys: z.string().optional(),
  /** Keys that sign the tokens (JWT) taken: a URL, or a file. */
  jwks: z.string().optional(),
  /** What tokens must say, where given. */
  issuer: z.string().optional(),
  audience: z.string().optional(),
  /** Callers without credentials may use all models. On loopback true where nothing else is configured. */
  anonymous: z.boolean().optional(),
  /** File to which administrative calls are appended, a line of JSON each; they are always in the log. */
  auditLog: z.string().optional(),
});

export type TlsSettings = z.output<typeof tlsSchema>;
export type AccessSettings = z.output<typeof accessSchema>;

interface Reach {
  readonly host: string;
  readonly tls: TlsSettings;
  readonly access: AccessSettings;
}

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;

/** Beyond this machine, open access must have been meant. @throws CONFIGURATION_INVALID */
export function checkReach({ host, tls, access }: Reach): void {
  if ((tls.certificate === undefined) !== (tls.key === undefined) || (tls.clientAuthority && !tls.certificate)) {
    throw new GenserveError('CONFIGURATION_INVALID', 'tls: needs both certificate and key', { field: 'tls' });
  }
  const chosen = access.keys ?? access.jwks ?? tls.clientAuthority ?? access.anonymous;
  if (chosen !== undefined || loopback.test(host)) return;
  const message = `access: ${host} can be reached from other machines: give access.keys, access.jwks or tls.clientAuthority, or access.anonymous=true for open access`;
  throw new GenserveError('CONFIGURATION_INVALID', message, { field: 'access' });
}

/** Whether callers without credentials are let in. */
export function allowsAnonymous({ keys, jwks, anonymous }: AccessSettings): boolean {
  return anonymous ?? (keys === undefined && jwks === undefined);
}
