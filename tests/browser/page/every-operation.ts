// Everything that a bundle can do with two digits, as plain numbers: run by the page and by Node, to be compared.
import type { Generator } from '@genserve/sdk';

/** Outputs by operation, of those in `only` where given. `digits` are two images of 28x28 in {0, 1}. */
export async function everyOperation(
  generator: Generator,
  digits: readonly number[],
  only?: readonly string[],
): Promise<Record<string, number[]>> {
  const x = { dtype: 'float32', shape: [2, 28, 28, 1], data: Float32Array.from(digits) } as const;
  const mask = { dtype: 'float32', shape: [1, 28, 28, 1], data: new Float32Array(784).fill(1, 0, 392) } as const;
  const numbers = (tensor: { readonly data: ArrayLike<number> }) => Array.from(tensor.data);
  const verbs: Record<string, () => Promise<number[]>> = {
    sample: async () => numbers((await generator.sample({ seed: 7, count: 2 })).data),
    log_prob: async () => Array.from((await generator.logLikelihood(x, { seed: 7, draws: 2 })).logProb),
    encode: async () => Object.values(await generator.encode(x)).flatMap(numbers),
    decode: async () => numbers((await generator.decode(await generator.encode(x), { seed: 7 })).data),
    reconstruct: async () => numbers((await generator.reconstruct(x, { seed: 7 })).data),
    complete: async () => numbers((await generator.complete(x, mask, { seed: 7 })).data),
  };
  const result: Record<string, number[]> = {};
  for (const { name } of generator.manifest.operations) {
    const verb = verbs[name];
    if (verb && (!only || only.includes(name))) result[name] = await verb();
  }
  return result;
}
