// Certificates from their files, for both transports.
import { readFile } from 'node:fs/promises';
import { GenserveError } from '@genserve/runtime';
import type { TlsSettings } from './options.js';

/** As `node:https` takes them. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
  /** Mutual TLS: callers without a certificate of `ca` are turned away. */
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
}

/** Undefined where TLS is off. @throws CONFIGURATION_INVALID naming the file. */
export async function readTls({ certificate, key, clientAuthority }: TlsSettings): Promise<TlsFiles | undefined> {
  if (certificate === undefined || key === undefined) return undefined;
  const mutual = clientAuthority !== undefined;
  return {
    cert: await read('tls.certificate', certificate),
    key: await read('tls.key', key),
    ...(mutual && { ca: await read('tls.clientAuthority', clientAuthority) }),
    requestCert: mutual,
    rejectUnauthorized: mutual,
  };
}

async function read(field: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new GenserveError('CONFIGURATION_INVALID', `${field}: ${path} cannot be read`, { field, cause });
  }
}
