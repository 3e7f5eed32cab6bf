// Where models are kept: the seam behind which a folder, or one day a bucket, lists its bundles.

export interface Catalogue {
  /** Versions by name, newest first; names in order. */
  list(): Promise<ReadonlyMap<string, readonly number[]>>;
  /** Where a version's files are; `sourceOf` reads them, in the front and in executors. */
  locate(name: string, version: number): string;
  /** Another text whenever the version's files may have changed; '' where it has no manifest. */
  fingerprint(name: string, version: number): Promise<string>;
}
