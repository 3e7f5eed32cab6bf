// API keys: 256 random bits each, of which only the SHA-256 is kept. (A slow hash protects what can be guessed; this cannot.)
import { createHash, randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { GenserveError } from '@genserve/runtime';
import { z } from 'zod';
import type { Caller } from './caller.js';

const keySchema = z.strictObject({
  name: z.string().min(1),
  /** Hexadecimal SHA-256 of the key. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  models: z.array(z.string()).optional(),
  admin: z.boolean().default(false),
  requestsPerMinute: z.int().min(1).optional(),
});
const fileSchema = z.strictObject({ keys: z.array(keySchema) });

export type ApiKey = z.output<typeof keySchema>;

/** Callers by the hash of their key. @throws CONFIGURATION_INVALID */
export async function readKeys(path: string): Promise<ReadonlyMap<string, ApiKey>> {
  const { keys } = await readKeyFile(path);
  return new Map(keys.map(key => [key.sha256, key]));
}

export function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** Adds a key to the file, which is made where it is missing, and gives the key: it cannot be had again. */
export async function addKey(path: string, rights: Omit<ApiKey, 'sha256'>): Promise<string> {
  const { keys } = await readKeyFile(path).catch(error => {
    if (codeOf(error instanceof Error ? error.cause : error) === 'ENOENT') return { keys: [] };
    throw error;
  });
  if (keys.some(({ name }) => name === rights.name)) {
    throw new GenserveError('CONFIGURATION_INVALID', `name: ${path} has a key ${rights.name}`, { field: 'name' });
  }
  const key = `gs_${randomBytes(32).toString('base64url')}`;
  const text = JSON.stringify({ keys: [...keys, { ...rights, sha256: hashOf(key) }] }, null, 2);
  await writeFile(`${path}.new`, `${text}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return key;
}

export function callerOf({ name, admin, models }: ApiKey): Caller {
  return { name, admin, models };
}

async function readKeyFile(path: string): Promise<z.output<typeof fileSchema>> {
  try {
    return fileSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : 'it cannot be read as JSON';
    throw new GenserveError('CONFIGURATION_INVALID', `access.keys: ${path}: ${why}`, { field: 'access.keys', cause });
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
