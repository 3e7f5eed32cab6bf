// What a source of data is: a named set that comes from a package, or a format that users bring as a file or folder.

import type { Dataset } from './dataset.js';
import type { DataOptions } from './options.js';

/** A data set with a name: `--data mnist`. */
export interface NamedSource {
  readonly name: string;
  /** One line for `genserve datasets`. */
  readonly description: string;
  readonly licence: string;
  /** How to get it, where it is not installed with the trainer. */
  readonly install?: string | undefined;
  /** Whether its files are on this machine. */
  available(): Promise<boolean>;
  open(options: DataOptions): Promise<Dataset>;
}

/** A format: `--data path`. */
export interface FormatSource {
  readonly name: string;
  /** What is taken, for `genserve datasets`: "folder of images, in class subfolders or with labels.csv". */
  readonly description: string;
  /** Decides by name and first bytes alone. */
  accepts(path: string): Promise<boolean>;
  open(path: string, options: DataOptions): Promise<Dataset>;
}
