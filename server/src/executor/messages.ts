// What a `load` carries to an executor process. It reads the files itself, so that weights do not pass through the front,
// and checks them against the manifest that the front has checked: not against one that was put in its place since.
import {
  type BundleSource,
  type Bytes,
  type ExecutorReply,
  type GraphFiles,
  type Message,
  openBundle,
} from '@genserve/runtime';

/** One graph of one bundle. */
export interface Load {
  /** As the catalogue locates the bundle. */
  readonly location: string;
  /** Bytes of manifest.json. */
  readonly manifest: FileTensor;
  /** "sample", or "sample#1" for a member of an ensemble. */
  readonly operation: string;
}

interface FileTensor {
  readonly dtype: 'uint8';
  readonly shape: readonly number[];
  readonly data: Bytes;
}

export function fileTensor(data: Bytes): FileTensor {
  return { dtype: 'uint8', shape: [data.length], data };
}

/** Checked bytes of the graph and its weights. @throws INTEGRITY_MISMATCH, ASSET_UNREACHABLE */
export async function readGraph(
  { location, manifest, operation }: Load,
  sourceOf: (location: string) => BundleSource,
): Promise<GraphFiles> {
  const source = sourceOf(location);
  const bundle = await openBundle({
    read: async (path, options) => (path === 'manifest.json' ? manifest.data : await source.read(path, options)),
  });
  return await bundle.graph(operation);
}

/** A reply as JSON with tensors; an interface lacks the index signature that `Message` asks for. */
export function replyMessage({ id, outputs, error, timings }: ExecutorReply): Message {
  return { id, timings: { ...timings }, ...(outputs && { outputs }), ...(error && { error: { ...error } }) };
}
