// Checkpoints: all that a run needs to go on bit for bit, written so that a crash at any moment leaves a whole one behind.
// A file is "GSCK", a header length (uint32), the header (JSON), the tensors (float32) and the SHA-256 of all before it.
import { createHash } from 'node:crypto';
import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GenserveError } from '@genserve/runtime';
import type { State } from '../engine/program.js';
import type { Best } from './early-stopping.js';

const MAGIC = 'GSCK';
const KEPT = 2;
const DIGEST_BYTES = 32;

/** Where a run stands. The position in the data and of every random stream follow from `step`. */
export interface Position {
  /** Steps done, skipped ones included. */
  readonly step: number;
  /** Updates that each optimiser has applied, by step name: Adam's t. */
  readonly updates: Readonly<Record<string, number>>;
  readonly skipped: number;
  /** With early stopping: the best evaluation so far, and the evaluations since. */
  readonly best?: Best;
  readonly waited?: number;
  /** The stage that the last step was of, and the steps done before it began; absent before the first step. */
  readonly stage?: { readonly index: number; readonly firstStep: number };
  readonly elapsedSeconds: number;
  /** What ran the steps, threads included: other threads give other last bits. */
  readonly engine: string;
}

interface Header {
  readonly format: 1;
  readonly position: Position;
  readonly tensors: readonly { readonly name: string; readonly length: number }[];
}

export interface Checkpoint {
  readonly position: Position;
  readonly state: State;
  readonly path: string;
}

/** Writes `step-<n>.ckpt` under a temporary name, syncs, renames, and removes all but the newest two. */
export async function saveCheckpoint(folder: string, position: Position, state: State): Promise<string> {
  const path = join(folder, `step-${String(position.step).padStart(9, '0')}.ckpt`);
  await writeAtomically(path, encode(position, state));
  const names = await checkpointNames(folder);
  const stale = [...names.slice(KEPT), ...(await readdir(folder)).filter(name => name.endsWith('.partial'))];
  await Promise.all(stale.map(name => rm(join(folder, name), { force: true })));
  return path;
}

const bestPath = (folder: string) => join(folder, 'best.ckpt');

/** Keeps a state apart from those that rotate. */
export async function saveBest(folder: string, position: Position, state: State): Promise<string> {
  await writeAtomically(bestPath(folder), encode(position, state));
  return bestPath(folder);
}

/** Throws INTEGRITY_MISMATCH where it is damaged. */
export async function loadBest(folder: string): Promise<State> {
  const decoded = decode(await readFile(bestPath(folder)));
  if (typeof decoded !== 'string') return decoded.state;
  throw new GenserveError('INTEGRITY_MISMATCH', `${bestPath(folder)}: ${decoded}`);
}

/** The newest checkpoint that is whole, or nothing; `onBroken` hears of each that is not. */
export async function latestCheckpoint(
  folder: string,
  onBroken: (path: string, reason: string) => void = () => {},
): Promise<Checkpoint | undefined> {
  for (const name of await checkpointNames(folder)) {
    const path = join(folder, name);
    const decoded = decode(await readFile(path));
    if (typeof decoded !== 'string') return { ...decoded, path };
    onBroken(path, decoded);
  }
  return undefined;
}

/** Newest first. */
async function checkpointNames(folder: string): Promise<string[]> {
  return (await readdir(folder))
    .filter(name => /^step-\d+\.ckpt$/.test(name))
    .sort()
    .reverse();
}

function encode(position: Position, state: State): Buffer {
  const tensors = [...state].map(([name, values]) => ({ name, length: values.length }));
  const header = Buffer.from(JSON.stringify({ format: 1, position, tensors } satisfies Header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const bodies = [...state.values()].map(v => Buffer.from(v.buffer, v.byteOffset, v.byteLength));
  const bytes = Buffer.concat([Buffer.from(MAGIC), length, header, ...bodies]);
  return Buffer.concat([bytes, createHash('sha256').update(bytes).digest()]);
}

/** What the bytes hold, or why they are not a checkpoint. */
function decode(bytes: Buffer): { position: Position; state: State } | string {
  if (bytes.length < 8 + DIGEST_BYTES || bytes.toString('latin1', 0, 4) !== MAGIC)
    return 'not a checkpoint, or cut short';
  const content = bytes.subarray(0, bytes.length - DIGEST_BYTES);
  if (!createHash('sha256').update(content).digest().equals(bytes.subarray(content.length)))
    return 'its checksum does not match: cut short or damaged';
  const start = 8 + content.readUInt32LE(4);
  // The checksum holds, so these are the bytes that `encode` wrote.
  const header = JSON.parse(content.toString('utf8', 8, start)) as Header;
  const state: State = new Map();
  let offset = start;
  for (const { name, length } of header.tensors) {
    const values = new Float32Array(length);
    Buffer.from(values.buffer).set(content.subarray(offset, offset + 4 * length));
    state.set(name, values);
    offset += 4 * length;
  }
  return { position: header.position, state };
}

/** Whole or not at all: temporary name, fsync, rename, fsync of the folder. STORAGE_FULL where the disk is. */
export async function writeAtomically(path: string, bytes: string | Uint8Array): Promise<void> {
  const partial = `${path}.partial`;
  try {
    const file = await open(partial, 'w');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
    await syncFolder(join(path, '..'));
  } catch (cause) {
    await rm(partial, { force: true }).catch(() => {});
    throw storageError(path, cause);
  }
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A failed write as the error that says what to do about it. */
export function storageError(path: string, cause: unknown): GenserveError {
  if (cause instanceof GenserveError) return cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new GenserveError('STORAGE_FULL', `${path}: no space left; free some and resume`, { cause });
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM')
    return new GenserveError('PERMISSION_DENIED', `${path}: the folder cannot be written`, { cause });
  return GenserveError.from(cause);
}
