// Opens a bundle and brings all that its operations need, side by side, with one count of bytes.
import { type Bundle, type BundleSource, openBundle, type Progress } from '@genserve/runtime';

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Graphs, weights and score tables are needed to run; reports, previews and variants are not. */
function isNeeded(path: string): boolean {
  return !path.includes('/') ? /\.onnx$|^weights\.bin$/.test(path) : path.startsWith('tables/');
}

/** The verified bundle, in memory. The first file that fails stops the others. */
export async function downloadBundle(source: BundleSource, options: DownloadOptions = {}): Promise<Bundle> {
  const bundle = await openBundle(source, { signal: options.signal });
  const files = bundle.manifest.files.filter(file => isNeeded(file.path));
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  const received = new Map<string, number>();
  const failure = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, failure.signal]) : failure.signal;
  const report = (path: string, bytes: number) => {
    received.set(path, bytes);
    const done = [...received.values()].reduce((sum, count) => sum + count, 0);
    options.onProgress?.({ phase: 'download', done: Math.min(done, total), total, unit: 'bytes' });
  };
  try {
    await Promise.all(files.map(({ path }) => bundle.file(path, { signal, onProgress: bytes => report(path, bytes) })));
  } catch (error) {
    failure.abort(error);
    throw error;
  }
  return bundle;
}
