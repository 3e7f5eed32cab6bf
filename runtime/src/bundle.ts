// A bundle as a reader sees it: its manifest, and its files, each checked against size and SHA-256 before anything
// parses it. Where the bytes come from (folder, fetch, cache, memory) is the source's matter.
import type { File, Manifest } from '@genserve/proto/manifest';
import { throwIfAborted } from './cancel.js';
import { wrong } from './check.js';
import { GenserveError } from './errors.js';
import { findOperation } from './manifest.js';
import { parseManifest } from './parse-manifest.js';
import { sha256 } from './sha256.js';
import { fromUtf8, utf8 } from './text.js';

export type Bytes = Uint8Array<ArrayBuffer>;

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes of this file read so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

export interface BundleSource {
  /**
   * All bytes of one file, by its path relative to the bundle's folder. `expected` is the manifest's entry (absent for
   * manifest.json): a cache may use its sha256 as a key, and a reader may stop after its size. Throws
   * ASSET_UNREACHABLE where the file cannot be had.
   */
  read(path: string, options?: ReadOptions & { readonly expected?: File }): Promise<Bytes>;
}

/** What onnxruntime's `InferenceSession.create(model, {externalData})` takes. */
export interface GraphFiles {
  readonly model: Bytes;
  readonly externalData: readonly { readonly path: string; readonly data: Bytes }[];
  /** Beside a graph of a variant: the same graph in float32, without weights. */
  readonly whole?: Bytes | undefined;
}

export interface GraphOptions extends ReadOptions {
  /** Name of a variant, e.g. "float16"; the float32 graphs when absent. */
  readonly variant?: string | undefined;
}

export interface Bundle {
  readonly manifest: Manifest;
  /**
   * The file's bytes, checked once and kept; concurrent calls share one read. Throws INTEGRITY_MISMATCH where size or
   * SHA-256 differ, BUNDLE_INVALID where the manifest does not list the path.
   */
  file(path: string, options?: ReadOptions): Promise<Bytes>;
  /**
   * The graph that a Runner is asked for and the weights beside it: an operation, or member i of a class-split
   * ensemble as "operation#i". Throws OPERATION_UNSUPPORTED, BUNDLE_INVALID.
   */
  graph(operation: string, options?: GraphOptions): Promise<GraphFiles>;
  /** A table (.npy) as float64 numbers, kept like the file's bytes: not to be changed. */
  table(path: string, options?: ReadOptions): Promise<Float64Array>;
  /** Drops the kept bytes; files that are asked for later are read again. */
  forget(): void;
}

const WEIGHTS = 'weights.bin';

/** Reads and checks manifest.json; other files are read when asked for. */
export async function openBundle(source: BundleSource, options: ReadOptions = {}): Promise<Bundle> {
  return new CheckedBundle(source, parseManifest(parseJson(await source.read('manifest.json', options))));
}

function parseJson(bytes: Bytes): unknown {
  try {
    return JSON.parse(fromUtf8(bytes));
  } catch (cause) {
    const start = new TextDecoder().decode(bytes.subarray(0, 20));
    throw new GenserveError('BUNDLE_INVALID', `manifest.json is not JSON; it begins with ${JSON.stringify(start)}`, {
      field: 'manifest.json',
      cause,
    });
  }
}

class CheckedBundle implements Bundle {
  readonly #files = new Map<string, Promise<Bytes>>();
  readonly #tables = new Map<string, Float64Array>();

  constructor(
    readonly source: BundleSource,
    readonly manifest: Manifest,
  ) {}

  file(path: string, options: ReadOptions = {}): Promise<Bytes> {
    const kept = this.#files.get(path);
    if (kept) return kept;
    const reading = this.#read(path, options);
    this.#files.set(path, reading);
    // A read that failed or was cancelled is not kept: the next caller tries again.
    reading.catch(() => this.#files.delete(path));
    return reading;
  }

  async graph(name: string, options: GraphOptions = {}): Promise<GraphFiles> {
    const operation = findOperation(this.manifest, name);
    const { variant } = options;
    const member = name.split('#')[1];
    const file = member === undefined ? operation.file : operation.members[Number(member)]?.file;
    if (file === undefined) throw wrong('members', `${operation.name} has ${operation.members.length}, not ${name}`);
    const found = this.manifest.variants.find(candidate => candidate.name === variant);
    if (variant !== undefined && !found) throw wrong('variant', `the bundle has no variant ${variant}`);
    const folder = found ? `${found.folder}/` : '';
    const model = await this.file(folder + file, options);
    const weights = this.manifest.files.find(({ path }) => path === folder + WEIGHTS);
    // External data are found relative to the graph: its folder's weights.bin is always called just that.
    const externalData = weights ? [{ path: WEIGHTS, data: await this.file(weights.path, options) }] : [];
    return { model, externalData, ...(found && { whole: await this.file(file, options) }) };
  }

  async table(path: string, options?: ReadOptions): Promise<Float64Array> {
    const [{ readNpy }, bytes] = await Promise.all([import('./npy.js'), this.file(path, options)]);
    const kept = this.#tables.get(path) ?? Float64Array.from(readNpy(bytes, path).data);
    this.#tables.set(path, kept);
    return kept;
  }

  forget(): void {
    this.#files.clear();
    this.#tables.clear();
  }

  async #read(path: string, options: ReadOptions): Promise<Bytes> {
    throwIfAborted(options.signal);
    const expected = this.manifest.files.find(file => file.path === path);
    if (!expected) throw wrong('files', `${path} is not among the bundle's files`);
    const bytes = await this.source.read(path, { ...options, expected });
    throwIfAborted(options.signal);
    if (bytes.length !== expected.bytes)
      throw mismatch(path, `has ${bytes.length} bytes where the manifest states ${expected.bytes}`);
    const actual = await sha256(bytes);
    if (actual !== expected.sha256)
      throw mismatch(path, `has SHA-256 ${actual} where the manifest states ${expected.sha256}`);
    return bytes;
  }
}

function mismatch(path: string, message: string): GenserveError {
  return new GenserveError('INTEGRITY_MISMATCH', `${path} ${message}`, {
    field: path,
  });
}

/** A bundle whose files are in memory, by path; a string stands for its UTF-8 bytes. */
export function memorySource(files: Readonly<Record<string, Bytes | string>>): BundleSource {
  return {
    async read(path, options) {
      throwIfAborted(options?.signal);
      if (!Object.hasOwn(files, path))
        throw new GenserveError('ASSET_UNREACHABLE', `there is no file ${path}`, { field: path });
      const file = files[path]!;
      const bytes = typeof file === 'string' ? utf8(file) : file;
      options?.onProgress?.(bytes.length);
      return bytes;
    },
  };
}
