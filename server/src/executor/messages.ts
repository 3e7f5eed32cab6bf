// What a `load` carries to an executor process. It reads the files itself, so that weights do not pass through the front,
// and checks them against the manifest that the front has checked: not against one that was put in its place since.
import {
  type BundleSource,
  type Bytes,
  type ExecutorReply,
  findOperation,
  type GraphFiles,
  type Message,
  type Operation,
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

/** Checked bytes of the graph and its weights, and what it takes. @throws INTEGRITY_MISMATCH, ASSET_UNREACHABLE */
export async function readGraph(
  { location, manifest, operation }: Load,
  sourceOf: (location: string) => BundleSource,
): Promise<GraphFiles & { readonly operation: Operation }> {
  const source = sourceOf(location);
  const bundle = await openBundle({
    read: async (path, options) => (path === 'manifest.json' ? manifest.data : await source.read(path, options)),
  });
  return { ...(await bundle.graph(operation)), operation: findOperation(bundle.manifest, operation) };
}

/** A reply as JSON with tensors; an interface lacks the index signature that `Message` asks for. */
export function replyMessage({ id, outputs, error, timings }: ExecutorReply): Message {
  return { id, timings: { ...timings }, ...(outputs && { outputs }), ...(error && { error: { ...error } }) };
}
