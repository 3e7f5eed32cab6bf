// Conditions and latent codes of a message as the runtime takes them.
import type { generator } from '@genserve/proto/wire';
import type { Conditions, Tensors } from '@genserve/runtime';
import { readTensor } from './tensors.js';

export function readConditions(wire: generator.Conditions | undefined, field: string): Conditions {
  if (wire === undefined) return {};
  const { labels, vectors, attributes, texts } = wire;
  return {
    ...(labels.length > 0 && { label: labels }),
    ...(vectors !== undefined && { vector: readTensor(vectors, `${field}.vectors`) }),
    ...(attributes !== undefined && { attributes: readTensor(attributes, `${field}.attributes`) }),
    ...(texts.length > 0 && { text: texts }),
  };
}

export function readLatents(wire: generator.Latents | undefined, field: string): Tensors {
  const entries = Object.entries(wire?.values ?? {});
  return Object.fromEntries(entries.map(([name, tensor]) => [name, readTensor(tensor, `${field}.values.${name}`)]));
}
