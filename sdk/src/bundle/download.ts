// Brings all files that a bundle's operations need, side by side, with one count of bytes.
import type { Bundle, Progress } from '@genserve/runtime';

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Graphs, weights of the variant (float32 when absent) and score tables are needed to run; reports are not. */
function isNeeded(path: string, variant: string | undefined): boolean {
  const [name, folder = ''] = path.split('/').reverse();
  const isOfVariant = folder === (variant ?? '') && name === 'weights.bin';
  const isGraph = (folder === '' || folder === variant) && name?.endsWith('.onnx');
  return isOfVariant || isGraph || folder === 'tables';
}

/** Afterwards the bundle has them in memory, verified. Rejects at the first that fails. */
export async function downloadFiles(
  bundle: Bundle,
  variant: string | undefined,
  options: DownloadOptions = {},
): Promise<void> {
  const files = bundle.manifest.files.filter(file => isNeeded(file.path, variant));
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  const received = new Map<string, number>();
  const report = (path: string, bytes: number) => {
    received.set(path, bytes);
    const done = [...received.values()].reduce((sum, count) => sum + count, 0);
    options.onProgress?.({ phase: 'download', done: Math.min(done, total), total, unit: 'bytes' });
  };
  await Promise.all(
    files.map(({ path }) => bundle.file(path, { signal: options.signal, onProgress: bytes => report(path, bytes) })),
  );
}
