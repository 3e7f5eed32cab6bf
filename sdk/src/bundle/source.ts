// A bundle's files from an address, through the store of earlier visits.
import { type BundleSource, type Bytes, GenserveError, sha256 } from '@genserve/runtime';
import { type AssetOptions, fetchAsset } from '../asset.js';
import { contentKey, manifestKey, type Store } from './store.js';

const MANIFEST = 'manifest.json';

/**
 * Files under `base`. The manifest is asked for each time, so that a bundle that was made anew is seen, and comes from
 * the store where nobody answers; every other file is named by its SHA-256 and fetched only where no store has it.
 */
export function fetchSource(base: URL, store: Store, load?: AssetOptions['fetch']): BundleSource {
  const fetchFile = (path: string, options: AssetOptions) =>
    fetchAsset(new URL(path, base).href, { ...options, fetch: load });

  async function readManifest(signal: AbortSignal | undefined): Promise<Bytes> {
    try {
      const bytes = await fetchFile(MANIFEST, { signal, cache: 'no-cache' });
      await store.put(manifestKey(base), bytes);
      return bytes;
    } catch (error) {
      // Only a failed connection has a cause; an answer such as 404 is an answer.
      const offline = error instanceof GenserveError && error.reason === 'ASSET_UNREACHABLE' && error.cause;
      const kept = offline ? await store.get(manifestKey(base)) : undefined;
      if (kept) return kept;
      throw error;
    }
  }

  return {
    async read(path, { expected, signal, onProgress } = {}) {
      if (!expected) return readManifest(signal);
      const key = contentKey(expected.sha256);
      const kept = await store.get(key);
      if (kept) {
        if ((await sha256(kept)) === expected.sha256) {
          onProgress?.(kept.length);
          return kept;
        }
        await store.delete(key);
      }
      const bytes = await fetchFile(path, { signal, onBytes: onProgress });
      if ((await sha256(bytes)) === expected.sha256) await store.put(key, bytes);
      return bytes;
    },
  };
}
