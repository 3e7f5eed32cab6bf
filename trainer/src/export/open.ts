// Bundles on disk, opened for the trainer: to verify, evaluate, sample and calibrate what was exported.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Bundle,
  BundleGenerator,
  type BundleSource,
  type Bytes,
  GenserveError,
  type GraphFiles,
  openBundle,
  type Session,
  sessionsRunner,
} from '@genserve/runtime';
import { createSession } from '../engine/session.js';
import { joinGraphs } from './joint-graph.js';
import { jointSessions } from './joint-sessions.js';

/** Files of one version's folder, models/<name>/<version>. */
export function folderSource(folder: string): BundleSource {
  return {
    async read(path, options) {
      try {
        const bytes: Bytes = Uint8Array.from(await readFile(join(folder, path)));
        options?.onProgress?.(bytes.length);
        return bytes;
      } catch (cause) {
        throw new GenserveError('ASSET_UNREACHABLE', `${join(folder, path)} cannot be read`, { field: path, cause });
      }
    },
  };
}

export interface OpenOptions {
  /** All cores when absent. */
  readonly threads?: number | undefined;
  /** Most rows of one run, where they cost little; see `SessionsOptions`. */
  readonly mostRows?: number | undefined;
  /** Name of a variant, e.g. "float16"; the float32 graphs when absent. */
  readonly variant?: string | undefined;
  /** All scores will be asked for: one run serves `log_prob` and `log_prob_map`. */
  readonly joint?: boolean | undefined;
}

/** A bundle's verbs on onnxruntime. Close it to free its sessions. */
export function generatorOf(bundle: Bundle, options: OpenOptions = {}): BundleGenerator {
  const { variant, threads, mostRows } = options;
  const open = ({ model, externalData }: GraphFiles) =>
    createSession(model, { weights: externalData[0]?.data, threads });
  let pair: Promise<Sessions | undefined> | undefined;
  const runner = sessionsRunner({
    bundle,
    variant,
    mostRows,
    async openSession(graph, name) {
      if (options.joint && PAIR.some(each => each === name)) pair ??= openPair(bundle, open, variant);
      return (await pair)?.[name] ?? (await open(graph));
    },
  });
  return new BundleGenerator(bundle, runner);
}

type Sessions = Readonly<Record<string, Session>>;

const PAIR = ['log_prob', 'log_prob_map'] as const;

/** Sessions by operation; undefined where the bundle has but one of the two, or no joint graph can be made of them. */
async function openPair(
  bundle: Bundle,
  open: (graph: GraphFiles) => Promise<Session>,
  variant: string | undefined,
): Promise<Sessions | undefined> {
  const { operations } = bundle.manifest;
  if (!PAIR.every(name => operations.some(operation => operation.name === name))) return undefined;
  const [first, second] = [await bundle.graph(PAIR[0], { variant }), await bundle.graph(PAIR[1], { variant })];
  const model = joinGraphs(first.model, second.model);
  if (!model) return undefined;
  const sessions = jointSessions(await open({ ...first, model }), () => open(second));
  return { [PAIR[0]]: sessions.first, [PAIR[1]]: sessions.second };
}

/** Opens models/<name>/<version>. Throws BUNDLE_INVALID, INTEGRITY_MISMATCH or ASSET_UNREACHABLE. */
export async function openGenerator(folder: string, options: OpenOptions = {}): Promise<BundleGenerator> {
  return generatorOf(await openBundle(folderSource(folder)), options);
}
