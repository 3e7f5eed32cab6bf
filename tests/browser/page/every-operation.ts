// Everything that a bundle can do with two pictures, as plain numbers: run by the page and by Node, to be compared.
import { fillNoise, float32, type Generator, type Tensors } from '@genserve/sdk';

/** Outputs by operation; `scores` are all scores, whatever operations they ask. */
export async function everyOperation(generator: Generator): Promise<Record<string, number[]>> {
  const { height, width, channels } = generator.manifest.domain!.image!; // the families of the test know pictures alone
  const shape = [height, width, channels];
  const noise = fillNoise({ seed: 1, name: 'pictures', distribution: 'uniform', shape, count: 2 });
  const x = { dtype: 'float32', shape: [2, ...shape], data: noise.map(Math.round) } as const;
  const known = new Float32Array(height * width).fill(1, 0, (height * width) / 2);
  const mask = { dtype: 'float32', shape: [1, height, width, 1], data: known } as const;
  const numbers = (tensor: { readonly data: ArrayLike<number> }) => Array.from(tensor.data);
  const { operations, scores } = generator.manifest;
  /** The pictures' own; where a family has none, any. */
  const codes = async (): Promise<Tensors> => {
    if (operations.some(({ name }) => name === 'encode')) return await generator.encode(x);
    const ports =
      operations.find(({ name }) => name === 'decode')?.inputs.filter(({ role }) => role === 'latent') ?? [];
    const latent = ({ name, shape: [, ...shape] }: (typeof ports)[number]) =>
      float32([2, ...shape], fillNoise({ seed: 1, name, distribution: 'normal', shape, count: 2 }));
    return Object.fromEntries(ports.map(port => [port.name, latent(port)]));
  };
  const verbs: Record<string, () => Promise<number[]>> = {
    sample: async () => numbers((await generator.sample({ seed: 7, count: 2 })).data),
    log_prob: async () => Array.from((await generator.logLikelihood(x, { seed: 7, draws: 2 })).logProb),
    encode: async () => Object.values(await generator.encode(x)).flatMap(numbers),
    decode: async () => numbers((await generator.decode(await codes(), { seed: 7 })).data),
    reconstruct: async () => numbers((await generator.reconstruct(x, { seed: 7 })).data),
    complete: async () => numbers((await generator.complete(x, mask, { seed: 7 })).data),
    translate: async () => numbers((await generator.translate(x, { seed: 7 })).data),
    scores: async () => {
      const values = async (asked: typeof scores, label?: number) => {
        const rows =
          asked.length > 0 ? await generator.anomaly(x, { scores: asked.map(({ name }) => name), label }) : [];
        return rows.flatMap(({ scores }) => scores.map(({ value }) => value));
      };
      const [marked, others] = [
        scores.filter(({ usesLabel }) => usesLabel),
        scores.filter(({ usesLabel }) => !usesLabel),
      ];
      return [...(await values(others)), ...(await values(marked, 0))];
    },
  };
  for (const { name, inputs } of operations.filter(({ name }) => /^(critic|classify|features)/.test(name))) {
    const [input] = inputs.filter(({ role }) => role === 'data');
    verbs[name] = async () => Object.values(await generator.infer(name, { [input!.name]: x })).flatMap(numbers);
  }
  const result: Record<string, number[]> = {};
  for (const name of [...operations.map(({ name }) => name), ...(scores.length > 0 ? ['scores'] : [])]) {
    const values = await verbs[name]?.();
    if (values) result[name] = values;
  }
  return result;
}
