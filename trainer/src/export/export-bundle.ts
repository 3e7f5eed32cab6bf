// From a run's folder to a bundle: traced operations, weights, calibration, recorded values, a preview and a model card.
import { readFile } from 'node:fs/promises';
import {
  type BundleGenerator,
  type Bytes,
  type Condition,
  findOperation,
  GenserveError,
  type Golden,
  goldenValues,
  type Manifest,
  memorySource,
  type Operation,
  openBundle,
  type Port,
  type Runner,
  type Tensor,
} from '@genserve/runtime';
import type { Dataset } from '../data/dataset.js';
import { evaluateAccuracy } from '../evaluate/accuracy.js';
import { evaluateLikelihood } from '../evaluate/likelihood.js';
import { evaluateTranslation, translationSheet } from '../evaluate/translation.js';
import { familyOf } from '../families/load.js';
import type { Family, Model, OperationSpec, PortSpec } from '../family.js';
import { averagedState } from '../optim/average.js';
import { writeReport } from '../report/write-report.js';
import { gradientNorms } from '../scores/gradient-norms.js';
import { prepareScores, type ScoresStage } from '../scores/prepare.js';
import { exportOperations, type OperationGraphs } from '../trace/operations.js';
import { latestCheckpoint, type Position } from '../train/checkpoint.js';
import { buildModel } from '../train/run.js';
import { type RunRecord, readRunRecord, runPaths } from '../train/run-folder.js';
import { reopenDataset } from '../train/train.js';
import { modelCard } from './card.js';
import { type Member, readMembers } from './ensemble.js';
import { halfPrecision } from './float16.js';
import { generatorOf } from './open.js';
import { operationProgram, portShape } from './operation-program.js';
import { indexParameters, PARAMETERS_FILE } from './parameters.js';
import { type BundleFiles, listFiles, type Published, publish } from './publish.js';
import { encodeSheet } from './sheet.js';

export interface ExportOptions {
  /** The model repository; 'models' when absent. */
  readonly out?: string | undefined;
  /** [a-z0-9-]{1,63}; the run's id when absent. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** SPDX identifier of the weights' licence; Apache-2.0 when absent. */
  readonly licence?: string | undefined;
  /** Held-out rows that calibrate the scores; 5,000 when absent. */
  readonly calibrationRows?: number | undefined;
  /** Test rows and importance samples of the likelihood in the manifest; 1,000 rows and as many samples as are cheap, 10 to 100, when absent. */
  readonly evaluation?: { readonly rows?: number | undefined; readonly k?: number | undefined } | undefined;
  /** Needed where the run was started with a Dataset or Family of the caller's own. */
  readonly dataset?: Dataset | undefined;
  readonly family?: Family | undefined;
  /** Folders of further runs of the same model from other seeds, up to four: their likelihoods give the score WAIC. */
  readonly ensemble?: readonly string[] | undefined;
  /** Called when a stage begins, and again with how many of its rows are done where it goes through rows. */
  readonly onProgress?: ((stage: ExportStage, done?: number, total?: number) => void) | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

export type ExportStage = 'trace' | ScoresStage | 'evaluate' | 'publish';

const PREVIEW_SIDE = 10;
/** Multiply-accumulates of the likelihood of test rows. */
const EVALUATION_MACS = 1e12;
const GOLDEN = { seed: 1, batch: 2, length: 16 } as const;
/** Memory besides weights: onnxruntime itself and activations. */
const BASE_MEMORY_BYTES = 48 * 2 ** 20;

/** Publishes the newest checkpoint's averaged parameters as models/<name>/<next version>. */
export async function exportBundle(runFolder: string, options: ExportOptions = {}): Promise<Published> {
  const record = await readRunRecord(runFolder);
  const checkpoint = await latestCheckpoint(runPaths(runFolder).checkpoints);
  if (!checkpoint)
    throw new GenserveError('INVALID_ARGUMENT', `run: ${runFolder} has no whole checkpoint yet`, { field: 'run' });
  const dataset = await reopenDataset(record, options.dataset);
  const { position } = checkpoint;
  const { steps } = record.budget;
  // Early stopping, which keeps its best evaluation, ends a run before its budget.
  if (steps !== undefined && position.step < steps && !position.best)
    options.onWarning?.(`${record.id} is at step ${position.step} of ${steps}: the bundle is of its newest checkpoint`);
  options.onProgress?.('trace');
  const { family, model, variables } = buildModel(record, options.family ?? (await familyOf(record)));
  const members = await readMembers(record, family, options.ensemble ?? []);
  const statistics = gradientNorms(model, variables);
  const own = [...model.operations, ...(statistics ? [statistics] : [])];
  const programs = own.map(operation => operationProgram(operation, variables));
  const memberPrograms = members.map(member => operationProgram(member.operation, member.variables));
  const state = averagedState(checkpoint.state);
  const states = new Map([state, ...members.map(member => member.state)].flatMap(each => [...each]));
  const graphs = exportOperations([...programs, ...memberPrograms], states);
  const files = graphFiles(graphs);
  // What a further run starts from is the first model alone.
  files.set(PARAMETERS_FILE, indexParameters(programs, variables, state, graphs));

  const specs = [...own, ...members.map(member => member.operation)];
  const draft = describe({ record, family, model, specs, members, graphs, dataset, position, options, files });
  const generator = await openDraft(draft, files);
  try {
    const prepared = await prepareScores(generator, dataset, {
      rows: options.calibrationRows,
      onProgress: options.onProgress,
      onWarning: options.onWarning,
    });
    for (const [path, bytes] of prepared.tables) files.set(path, bytes);
    const variants = [{ name: 'float16', folder: 'float16', maxError: await variantError(draft, files, generator) }];
    const golden = await recordGolden(generator);
    const picture = draft.domain?.image && (await preview(generator, dataset));
    if (picture) files.set('preview.png', picture);
    files.set('report.html', Uint8Array.from(await readFile(await writeReport(runFolder))));
    options.onProgress?.('evaluate');
    const metrics = await testMetrics(generator, dataset, options);
    options.onProgress?.('publish');
    const complete = (version: number): Manifest => ({
      ...draft,
      version,
      scores: prepared.scores,
      variants,
      golden,
      provenance: { ...draft.provenance!, metrics: { ...metrics, ...prepared.metrics } },
    });
    return await publish(options.out ?? 'models', draft.name, complete, manifest => {
      return new Map([...files, ['README.md', new TextEncoder().encode(modelCard(manifest))]]);
    });
  } finally {
    await generator.close();
  }
}

function graphFiles({ operations, weights }: OperationGraphs): Map<string, Bytes> {
  const half = halfPrecision(
    operations.map(({ model }) => model),
    weights,
  );
  const files: (readonly [string, Bytes])[] = [
    ...operations.map(({ name, model }) => [`${name}.onnx`, model] as const),
    ['weights.bin', weights],
    ...operations.map(({ name }, index) => [`float16/${name}.onnx`, half.models[index]!] as const),
    ['float16/weights.bin', half.weights],
  ];
  // A tiny model keeps all its weights in its graphs, and onnxruntime refuses external data of no bytes.
  return new Map(files.filter(([, bytes]) => bytes.length > 0));
}

interface Parts {
  readonly record: RunRecord;
  readonly family: Family;
  readonly model: Model;
  /** All that is exported. */
  readonly specs: readonly OperationSpec[];
  readonly members: readonly Member[];
  readonly graphs: OperationGraphs;
  readonly dataset: Dataset;
  readonly position: Position;
  readonly options: ExportOptions;
  readonly files: BundleFiles;
}

/** The manifest but for what must be computed with the graphs: calibration, recorded values, figures. */
function describe({
  record,
  family,
  model,
  specs,
  members,
  graphs,
  dataset,
  position,
  options,
  files,
}: Parts): Manifest {
  const operations = specs.map((spec): Operation => {
    const { cost } = graphs.operations.find(graph => graph.name === spec.name)!;
    return {
      name: spec.name,
      file: `${spec.name}.onnx`,
      inputs: spec.inputs.map(portOf),
      outputs: spec.outputs.map(portOf),
      cost,
      members: [],
    };
  });
  return {
    format: 1,
    name: options.name ?? record.id.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-'),
    version: 1,
    family: { name: family.name, paper: family.paper, url: family.url },
    domain: record.domain,
    conditions: model.conditions.map(condition => withFrequencies(condition, dataset)),
    noises: model.noises.map(({ name, distribution, shape }) => ({ name, distribution, shape: [...shape] })),
    operations,
    likelihood: model.likelihood,
    scores: [],
    variants: [],
    files: listFiles(files),
    golden: [],
    needs: {
      memoryBytes: BASE_MEMORY_BYTES + 3 * graphs.weights.length,
      operators: [...new Set(graphs.operations.flatMap(graph => graph.operators))].sort(),
    },
    licence: { model: options.licence ?? 'Apache-2.0', data: dataset.licence, attribution: dataset.attribution },
    provenance: {
      dataset: dataset.name,
      datasetSha256: dataset.sha256,
      split: dataset.split,
      seed: record.seed,
      steps: position.step,
      preset: record.preset,
      trainingSeconds: position.elapsedSeconds,
      metrics: {},
      versions: record.versions,
      created: new Date().toISOString(),
      configuration: JSON.stringify({
        configuration: record.configuration,
        training: record.training,
        ...(members.length > 0 && { ensemble: members.map(({ seed, steps }) => ({ seed, steps })) }),
      }),
      command: record.command,
    },
    description: options.description ?? descriptionOf(family, dataset, members),
  };
}

function descriptionOf(family: Family, dataset: Dataset, members: readonly Member[]): string {
  const ensemble = members.length > 0 ? `, with ${members.length} more of other seeds for the score waic` : '';
  return `${family.name} trained on ${dataset.name}${ensemble}.`;
}

/** A label that the caller leaves out is drawn as often as the training data have it. */
function withFrequencies(condition: Condition, { frequencies }: Dataset): Condition {
  if (condition.kind !== 'label' || condition.frequencies.length > 0) return condition;
  return frequencies.length === condition.size ? { ...condition, frequencies: [...frequencies] } : condition;
}

function portOf(spec: PortSpec): Port {
  return {
    name: spec.name,
    dtype: spec.dtype ?? 'float32',
    shape: portShape(spec).map(size => (size === 'batch' ? 0 : size)),
    role: spec.role,
    ...(spec.level !== undefined && { level: spec.level }),
    ...(spec.default !== undefined && { default: spec.default }),
    ...(spec.limit !== undefined && { limit: spec.limit }),
  };
}

async function openDraft(manifest: Manifest, files: BundleFiles, variant?: string): Promise<BundleGenerator> {
  const source = memorySource({
    // Bundle files are made here, each over a buffer of its own.
    ...(Object.fromEntries(files) as Record<string, Bytes>),
    'manifest.json': JSON.stringify(manifest),
  });
  return generatorOf(await openBundle(source), { variant, joint: true });
}

async function recordGolden(generator: BundleGenerator): Promise<Golden[]> {
  const { manifest, runner } = generator;
  const golden: Golden[] = [];
  for (const { name: operation } of manifest.operations) {
    const outputs = await goldenValues(runner, manifest, operation, GOLDEN);
    const nudged = await goldenValues(nudgedInputs(runner), manifest, operation, GOLDEN);
    for (const [output, recorded] of Object.entries(outputs)) {
      const { seed, batch } = GOLDEN;
      const allowed = tolerance(recorded.values, nudged[output]!.values);
      golden.push({ operation, seed, batch, output, ...recorded, tolerance: allowed });
    }
  }
  return golden;
}

/**
 * Platforms differ by 1e-4 in pictures (contract, section 3), by the rounding of long sums in log-probabilities, and by more
 * where the model itself magnifies rounding: the inverse of a flow does so far from its data, as these inputs are.
 */
function tolerance(values: readonly number[], nudged: readonly number[]): number {
  const magnified = Math.max(...values.map((value, i) => Math.abs(value - nudged[i]!)));
  return Math.max(1e-4, 1e-5 * Math.max(...values.map(Math.abs)), magnified);
}

/** A few units in the last place of a float32. */
const NUDGE = 1 + 2 ** -20;

/** Runs the same operations on inputs that are a rounding error away. */
function nudgedInputs(runner: Runner): Runner {
  const nudge = (tensor: Tensor): Tensor =>
    tensor.dtype === 'float32' ? { ...tensor, data: tensor.data.map(value => value * NUDGE) } : tensor;
  return {
    run: (operation, feeds, options) =>
      runner.run(operation, Object.fromEntries(Object.entries(feeds).map(([name, x]) => [name, nudge(x)])), options),
    rowsPerStep: operation => runner.rowsPerStep(operation),
    close: () => runner.close(),
  };
}

/** Largest difference of the float16 variant's recorded values from the float32 graphs'. */
async function variantError(draft: Manifest, files: BundleFiles, generator: BundleGenerator): Promise<number> {
  const manifest = { ...draft, variants: [{ name: 'float16', folder: 'float16', maxError: 0 }] };
  const variant = await openDraft(manifest, files, 'float16');
  try {
    let greatest = 0;
    for (const { name } of draft.operations) {
      const expected = await goldenValues(generator.runner, draft, name, GOLDEN);
      const found = await goldenValues(variant.runner, draft, name, GOLDEN);
      for (const [output, { values }] of Object.entries(expected))
        for (const [index, value] of values.entries())
          greatest = Math.max(greatest, Math.abs(value - found[output]!.values[index]!));
    }
    return greatest;
  } finally {
    await variant.close();
  }
}

/** Samples, or translations of test pictures between these and the truth; nothing where there is neither. */
async function preview(generator: BundleGenerator, { test }: Dataset): Promise<Bytes | undefined> {
  const columns = PREVIEW_SIDE;
  let images: Tensor;
  if (has(generator.manifest, 'sample')) images = (await generator.sample({ count: columns ** 2, seed: 0 })).data;
  else if (has(generator.manifest, 'translate') && test.count > 0)
    images = await translationSheet(generator, test, { lines: Math.floor(columns / 3), columns });
  else return undefined;
  return Uint8Array.from(await encodeSheet(images, columns));
}

async function testMetrics(
  generator: BundleGenerator,
  dataset: Dataset,
  options: ExportOptions,
): Promise<Record<string, number>> {
  const { manifest } = generator;
  if (dataset.test.count === 0) return {};
  const figures: [string, number][] = [];
  if (manifest.likelihood?.kind !== 'none') {
    const { rows: limit = 1000, k } = options.evaluation ?? {};
    const { metrics, rows, draws } = await evaluateLikelihood(generator, dataset.test, {
      limit,
      draws: k ?? affordableDraws(manifest, limit),
      onProgress: (done, total) => options.onProgress?.('evaluate', done, total),
    });
    figures.push(...Object.entries(metrics), ['rows', rows], ['k', draws]);
  }
  // A classifier is cheap to run: on all of the test data.
  if (has(manifest, 'classify'))
    figures.push(...Object.entries((await evaluateAccuracy(generator, dataset.test)).metrics));
  if (has(manifest, 'translate'))
    figures.push(...Object.entries((await evaluateTranslation(generator, dataset.test)).metrics));
  return Object.fromEntries(figures.map(([name, value]) => [`test.${name}`, value]));
}

/** Importance samples that take about a minute of one core; 10 to 100. */
function affordableDraws(manifest: Manifest, rows: number): number {
  const macs = findOperation(manifest, 'log_prob').cost?.macs ?? 0;
  return Math.max(10, Math.min(100, Math.floor(EVALUATION_MACS / (rows * macs))));
}

function has({ operations }: Manifest, name: string): boolean {
  return operations.some(operation => operation.name === name);
}
