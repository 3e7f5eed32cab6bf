// What earlier visits left in the Cache API: a list of it, and ways to forget it.
import type { Manifest } from '@genserve/runtime';
import { baseUrl } from '../address.js';
import { CACHE_NAME, contentKey, entryAddress, manifestKey } from './store.js';

export interface CachedBundle {
  /** Address of its folder: what `loadGenerator` takes. */
  readonly url: string;
  readonly name: string;
  readonly version: number;
  /** Of its files that are kept; files that bundles share are counted for each. */
  readonly bytes: number;
}

interface Kept extends CachedBundle {
  readonly addresses: ReadonlySet<string>;
}

const hasCache = () => typeof caches !== 'undefined' && globalThis.location?.protocol.startsWith('http');

/** The bundles that are kept for later visits. */
export async function listCache(): Promise<readonly CachedBundle[]> {
  return (await kept()).map(({ url, name, version, bytes }) => ({ url, name, version, bytes }));
}

/** Forgets one bundle; files that others share stay. True where there was one. */
export async function evictFromCache(url: string | URL): Promise<boolean> {
  const base = baseUrl(url);
  const bundles = await kept();
  const found = bundles.find(bundle => bundle.url === base.href);
  if (!found) return false;
  const cache = await caches.open(CACHE_NAME);
  const others = bundles.filter(bundle => bundle !== found);
  const unshared = [...found.addresses].filter(address => !others.some(({ addresses }) => addresses.has(address)));
  await Promise.all([entryAddress(manifestKey(base)), ...unshared].map(address => cache.delete(address)));
  return true;
}

/** Forgets every bundle kept by earlier visits. */
export async function clearCache(): Promise<void> {
  if (hasCache()) await caches.delete(CACHE_NAME);
}

async function kept(): Promise<readonly Kept[]> {
  if (!hasCache()) return [];
  const cache = await caches.open(CACHE_NAME);
  const addresses = new Set((await cache.keys()).map(({ url }) => url));
  const prefix = entryAddress('manifest/');
  const bundles: Kept[] = [];
  for (const address of addresses) {
    if (!address.startsWith(prefix)) continue;
    const response = await cache.match(address);
    const manifest = (await response?.json().catch(() => undefined)) as Manifest | undefined; // put there after its check
    if (!manifest) continue;
    const files = manifest.files.filter(({ sha256 }) => addresses.has(entryAddress(contentKey(sha256))));
    bundles.push({
      url: decodeURIComponent(address.slice(prefix.length)),
      name: manifest.name,
      version: manifest.version,
      bytes: files.reduce((sum, file) => sum + file.bytes, 0),
      addresses: new Set(files.map(({ sha256 }) => entryAddress(contentKey(sha256)))),
    });
  }
  return bundles;
}
