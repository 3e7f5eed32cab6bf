// A bundle on plain onnxruntime sessions of one thread, with the options that the server's executor uses.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  buildFeeds,
  type Manifest,
  type Operation,
  openBundle,
  sizeOf,
  type Tensor,
  type Tensors,
} from '@genserve/runtime';
import * as onnxruntime from 'onnxruntime-node';

export interface RawBundle {
  readonly manifest: Manifest;
  session(operation: string): Promise<onnxruntime.InferenceSession>;
  /** A run of so many rows, always of the same. */
  prepare(operation: Operation, rows: number): Promise<() => Promise<unknown>>;
}

export async function openRaw(folder: string): Promise<RawBundle> {
  const bundle = await openBundle({ read: async path => Uint8Array.from(await readFile(join(folder, path))) });
  const sessions = new Map<string, onnxruntime.InferenceSession>();
  const session = async (operation: string): Promise<onnxruntime.InferenceSession> => {
    const known = sessions.get(operation);
    if (known !== undefined) return known;
    const { model, externalData } = await bundle.graph(operation);
    const opened = await onnxruntime.InferenceSession.create(model, {
      externalData: [...externalData],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      extra: { session: { 'intra_op.allow_spinning': '0' } },
    });
    sessions.set(operation, opened);
    return opened;
  };
  return {
    manifest: bundle.manifest,
    session,
    async prepare(operation, rows) {
      const opened = await session(operation.name);
      const feeds = onnxFeeds(trialFeeds(bundle.manifest, operation, rows));
      return () => opened.run(feeds);
    },
  };
}

/** Seeded noise, and black pictures where the operation takes data. */
export function trialFeeds(manifest: Manifest, operation: Operation, rows: number): Tensors {
  const given: Record<string, Tensor> = {};
  for (const { name, role, shape } of operation.inputs) {
    if (role !== 'data') continue;
    const full = [rows, ...shape.slice(1)];
    given[name] = { dtype: 'float32', shape: full, data: new Float32Array(sizeOf(full)) };
  }
  return buildFeeds(manifest, operation, rows, given, { seed: 1 });
}

export function onnxFeeds(feeds: Tensors): Record<string, onnxruntime.Tensor> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, data, shape }]) => [name, new onnxruntime.Tensor(dtype, data, shape)]),
  );
}
