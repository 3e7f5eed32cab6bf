// What normal data score: the calibration that a p-value is read from, for those who want to show it.
import { type CallOptions, GenserveError, type Manifest, readNpy } from '@genserve/runtime';
import { baseUrl } from './address.js';
import { fetchAsset } from './asset.js';

/**
 * The sorted scores of held-out normal data behind the score of this name, from the bundle's folder at `url`.
 * Throws INVALID_ARGUMENT where there is no such score or it is not calibrated, ASSET_UNREACHABLE.
 */
export async function normalScores(
  url: string | URL,
  manifest: Manifest,
  name: string,
  { signal }: Pick<CallOptions, 'signal'> = {},
): Promise<Float64Array> {
  const table = manifest.scores.find(score => score.name === name)?.calibration?.table;
  if (!table) throw new GenserveError('INVALID_ARGUMENT', `${name} is no calibrated score`, { field: 'name' });
  const bytes = await fetchAsset(new URL(table, baseUrl(url)).href, { signal });
  return Float64Array.from(readNpy(bytes, table).data);
}
