// Data for a model that exists: images of the user's are brought to its size.
import { domainShape, invalid, type Manifest } from '@genserve/runtime';
import type { Dataset } from '@genserve/trainer';

/** Throws INVALID_ARGUMENT where the rows do not have the model's shape. */
export async function openDataFor({ name, domain }: Manifest, spec: string): Promise<Dataset> {
  const { openDataset } = await import('@genserve/trainer/data');
  const { height, width, channels } = domain?.image ?? {};
  const dataset = await openDataset(spec, {
    ...(height !== undefined && width !== undefined && { size: height === width ? height : [height, width] }),
    ...((channels === 1 || channels === 3) && { channels }),
  });
  const [wanted, found] = [domainShape(domain), domainShape(dataset.domain)];
  if (found.join() !== wanted.join()) {
    throw invalid('data', `${dataset.name} has rows of shape [${found}], ${name} takes [${wanted}]`);
  }
  return dataset;
}
