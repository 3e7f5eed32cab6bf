// Where verified files stay between visits: the Cache API, or this page's memory where that is missing or full.

/** Bytes by key. Neither method throws: a store that fails forgets. */
export interface Store {
  get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  delete(key: string): Promise<void>;
}

export const CACHE_NAME = 'genserve-1';

/** The key of the manifest of a bundle: its folder's address. */
export function manifestKey(base: URL): string {
  return `manifest/${encodeURIComponent(base.href)}`;
}

/** The key of a file is its content: bundles that share a file share its entry, whatever their addresses. */
export function contentKey(sha256: string): string {
  return `sha256/${sha256}`;
}

export function memoryStore(): Store {
  const entries = new Map<string, Uint8Array<ArrayBuffer>>();
  return {
    get: async key => entries.get(key),
    put: async (key, bytes) => void entries.set(key, bytes),
    delete: async key => void entries.delete(key),
  };
}

/** Entries are named by addresses under the page's own origin that are never requested. */
export function entryAddress(key: string): string {
  return new URL(`/.genserve/${key}`, globalThis.location.href).href;
}

function cacheStore(cache: Cache, onFull: (error: unknown) => void): Store {
  const address = entryAddress;
  return {
    async get(key) {
      try {
        const response = await cache.match(address(key));
        return response && new Uint8Array(await response.arrayBuffer());
      } catch {
        return undefined;
      }
    },
    async put(key, bytes) {
      try {
        await cache.put(address(key), new Response(bytes));
      } catch (error) {
        // The quota is used up: the bytes in hand still serve, the next visit downloads them again.
        onFull(error);
      }
    },
    async delete(key) {
      try {
        await cache.delete(address(key));
      } catch {
        // Nothing to forget.
      }
    },
  };
}

/**
 * The Cache API where the platform allows it (a secure context in a browser), else a store that forgets with the page.
 * `onFull` is called for each file that could not be kept.
 */
export async function openStore(onFull: (error: unknown) => void): Promise<Store> {
  try {
    if (typeof caches !== 'undefined' && globalThis.location?.protocol.startsWith('http')) {
      return cacheStore(await caches.open(CACHE_NAME), onFull);
    }
  } catch {
    // Storage is denied (private windows, sandboxed frames).
  }
  return memoryStore();
}
