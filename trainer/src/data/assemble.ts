// Makes a Dataset of the rows that a source found: cuts the parts that it lacks, counts classes, says what there is.
import type { Domain } from '@genserve/runtime';
import { GenserveError, invalid } from '@genserve/runtime';
import type { Dataset } from './dataset.js';
import { keepLabels } from './labelled.js';
import type { DataOptions } from './options.js';
import { permutation } from './order.js';
import { concatenate, type Store, subset } from './store.js';

export interface Found {
  readonly name: string;
  readonly domain: Domain;
  /** Of the rows' targets, where they are paired. */
  readonly target?: Domain | undefined;
  readonly train: Store;
  /** One name for each row of `train`: rows of one group come into one part, as variants of one thing must. */
  readonly groups?: readonly string[] | undefined;
  /** Absent where the source has none: then it is cut from train. */
  readonly test?: Store | undefined;
  readonly calibration?: Store | undefined;
  readonly sha256: string;
  readonly licence: string;
  readonly attribution: string;
  readonly summary: string;
}

/** Most rows that are held out of train for calibration unless asked for: p-values down to 0.0002, and a twelfth of MNIST. */
const greatestCalibration = 5_000;
const greatestTest = 10_000;

/** Parts are a tenth of the rows each, up to a limit, or as asked for; drawn by the options' seed and kept in the order of the source. */
export function assemble(found: Found, options: DataOptions): Dataset {
  const { seed, labelled, calibration: wanted, without } = options;
  const { name, train: all, sha256, licence, attribution, summary, domain } = found;
  const frame = ({ image }: Domain) => image && `${image.height}x${image.width}`;
  if (found.target && (options.flip || options.crop > 0) && frame(found.target) !== frame(domain))
    throw invalid('data.flip', `rows and targets of ${name} differ in size, and cannot be moved alike`);
  const notes: string[] = [];
  const order = togetherInGroups(permutation(all.count, seed, 'split'), found.groups);
  let used = 0;
  const tenth = Math.max(1, Math.floor(all.count / 10));
  const groupAt = (place: number) => found.groups?.[order[place]!];
  const cut = (size: number): Store => {
    let end = Math.min(used + size, order.length);
    // A group that would be cut in two goes in whole.
    while (found.groups && end < order.length && groupAt(end) === groupAt(end - 1)) end += 1;
    const part = order.slice(used, end).sort();
    used = end;
    return subset(all, part);
  };
  const normal = (store: Store) => (without === undefined ? store : withoutClass(store, without, domain));
  const calibration = normal(found.calibration ?? cut(wanted ?? Math.min(greatestCalibration, tenth)));
  const test = found.test ?? cut(Math.min(greatestTest, tenth));
  const rest = normal(used === 0 ? all : subset(all, order.slice(used).sort()));
  const train = labelled === undefined ? rest : keepLabels(rest, labelled, labelsOf(domain).length, seed);
  if (train.count < 1) {
    const least = 1 + (found.calibration ? 0 : (wanted ?? 1)) + (found.test ? 0 : 1);
    throw new GenserveError('INVALID_ARGUMENT', `data: ${name} has ${all.count} rows; at least ${least} are needed`, {
      field: 'data',
    });
  }
  if (without !== undefined) notes.push(`without class ${without}`);
  const from = ` (of train, by seed ${seed})`;
  notes.push(`train ${count(train.count)}${labelled === undefined ? '' : ` (${count(labelled)} with labels)`}`);
  notes.push(`calibration ${count(calibration.count)}${found.calibration ? '' : from}`);
  notes.push(`test ${count(test.count)}${found.test ? '' : from}`);
  return {
    name,
    domain,
    ...(found.target && { target: found.target }),
    augmentation: { flip: options.flip, crop: options.crop, jitter: options.jitter },
    train,
    calibration,
    test,
    all: concatenate([all, found.calibration, found.test].filter(part => part !== undefined)),
    sha256,
    licence,
    attribution,
    summary,
    split: notes.join(', '),
    frequencies: frequencies(train.labels, labelsOf(domain).length),
  };
}

/** Each row followed by the others of its group. */
function togetherInGroups(order: Int32Array, groups: readonly string[] | undefined): Int32Array {
  if (!groups) return order;
  const members = new Map<string, number[]>();
  for (const row of order) members.set(groups[row]!, [...(members.get(groups[row]!) ?? []), row]);
  return Int32Array.from([...members.values()].flat());
}

/** The rows of all classes but one; those without a label stay. Throws INVALID_ARGUMENT where there is no such class. */
function withoutClass(store: Store, without: string | number, domain: Domain): Store {
  const names = labelsOf(domain);
  const label = typeof without === 'number' ? without : names.indexOf(without);
  if (!store.labels || label < 0 || label >= names.length)
    throw invalid('data.without', `${without} is no class of these data: ${names.join(', ') || 'they have none'}`);
  const kept = [...store.labels.keys()].filter(row => store.labels![row] !== label);
  return subset(store, Int32Array.from(kept));
}

/** Names of the classes that a domain knows. */
export function labelsOf(domain: Domain): readonly string[] {
  return domain.image?.labels ?? domain.vector?.labels ?? domain.audio?.labels ?? domain.text?.labels ?? [];
}

/** 60000 -> "60,000". */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** Share of each class among the rows that have a label. */
function frequencies(labels: Int32Array | undefined, classes: number): readonly number[] {
  if (!labels || classes === 0) return [];
  const counts = new Array<number>(classes).fill(0);
  let total = 0;
  for (const label of labels) {
    if (label < 0) continue;
    counts[label] = counts[label]! + 1;
    total += 1;
  }
  return total === 0 ? [] : counts.map(n => n / total);
}
