// What both sides of a training benchmark read: the same first weights, batches, noises and settings, in one folder.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { readNpy, sizeOf, type Tensor, type Tensors, writeNpy } from '@genserve/runtime';
import {
  batches,
  buildModel,
  dataShape,
  families,
  initialState,
  modelDomain,
  openDataset,
  parseConfiguration,
  type RunRecord,
  stepFeeds,
  trainingSettings,
} from '@genserve/trainer';
import type { TrainNet } from './nets.js';

/** Batches that a benchmark goes round: enough that none is still in a cache when it comes again. */
const BATCHES = 4;
const SEED = 7;

/** What our side needs to build and train the net. */
export type FixtureRecord = Pick<RunRecord, 'family' | 'configuration' | 'training' | 'domain' | 'seed'>;

/** Why a net cannot be measured, or nothing where it can. */
export function whyMissing({ family: name, preset }: TrainNet): string | undefined {
  const family = Object.hasOwn(families, name) ? families[name] : undefined;
  if (!family) return `the family ${name} does not exist yet`;
  if (!Object.hasOwn(family.presets, preset)) return `the family ${name} has no preset ${preset}`;
  return undefined;
}

/**
 * Writes net.json (for our side), settings.json (for the peer), parameters/<variable>.npy, constants/<variable>.npy (what
 * is not trained) and batches/<number>/<feed>.npy. Parameter averages and clipping are left out: the update is Adam's
 * alone. Returns the number of trained parameters.
 */
export async function writeFixture(folder: string, net: TrainNet): Promise<number> {
  // A net that whyMissing passed
  const family = families[net.family]!;
  const configuration = parseConfiguration(family, { ...family.presets[net.preset], ...net.configuration });
  const training = trainingSettings.parse({
    ...family.training,
    ...net.training,
    batch: net.batch,
    parameterAverage: 0,
    clipNorm: 0,
  });
  const dataset = await openDataset(net.data);
  const domain = modelDomain(family, configuration, dataset.domain);
  const record: FixtureRecord = { family: net.family, configuration, training, domain, seed: SEED };
  const { model, variables } = buildModel(record);
  const steps = model.stages[0]?.steps ?? [];

  await writeJson(join(folder, 'net.json'), record);
  const { learningRate, beta1, beta2, epsilon } = training.optimiser;
  const optimiser = { learning_rate: learningRate, beta1, beta2, epsilon };
  await writeJson(join(folder, 'settings.json'), {
    optimisers: Object.fromEntries(steps.map(({ name }) => [name, optimiser])),
  });
  const state = initialState(variables, SEED);
  for (const { name, shape, trainable } of variables) {
    const path = join(folder, trainable ? 'parameters' : 'constants', `${name}.npy`);
    await writeArray(path, { dtype: 'float32', shape, data: Float32Array.from(state.get(name)!) });
  }
  for await (const batch of batches(dataset.train, domain, { size: net.batch, seed: SEED })) {
    if (batch.step === BATCHES) break;
    const feeds = steps.map(step => stepFeeds(step, batch, dataShape(domain), SEED));
    for (const [name, tensor] of Object.entries(Object.assign({}, ...feeds) as Tensors))
      await writeArray(join(folder, 'batches', String(batch.step), `${name}.npy`), tensor);
  }
  return variables.filter(({ trainable }) => trainable).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

export async function readRecord(folder: string): Promise<FixtureRecord> {
  // Written by writeFixture above
  return JSON.parse(await readFile(join(folder, 'net.json'), 'utf8')) as FixtureRecord;
}

/** Feeds of each batch, in order. */
export async function readBatches(folder: string): Promise<Tensors[]> {
  const numbers = (await readdir(join(folder, 'batches'))).map(Number).toSorted((a, b) => a - b);
  return Promise.all(numbers.map(number => readArrays(join(folder, 'batches', String(number)))));
}

async function readArrays(folder: string): Promise<Tensors> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter(file => file.isFile());
  const entries = files.map(async (file): Promise<[string, Tensor]> => {
    const path = join(file.parentPath, file.name);
    const { shape, data } = readNpy(await readFile(path), path);
    const name = relative(folder, path).slice(0, -'.npy'.length);
    if (data instanceof Float32Array) return [name, { dtype: 'float32', shape, data }];
    if (data instanceof Int32Array) return [name, { dtype: 'int32', shape, data }];
    throw new Error(`${path} holds neither float32 nor int32`);
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function writeArray(path: string, { shape, data }: Tensor): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, writeNpy(shape, data));
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(path, `${JSON.stringify(value, null, 2)}\n`);
}
