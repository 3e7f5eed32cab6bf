// The public API of @genserve/trainer.
export * from './data/batches.js';
export * from './data/binarise.js';
export type * from './data/dataset.js';
export * from './data/open.js';
export type * from './data/options.js';
export * from './engine/compiled.js';
export * from './engine/eager.js';
export type * from './engine/engine.js';
export type * from './engine/program.js';
export * from './engine/session.js';
export { families, familyNamed } from './families/registry.js';
export type * from './family.js';
export * from './nn/variable.js';
export type * from './train/callbacks.js';
export type * from './train/run-folder.js';
export * from './train/train.js';
export { versions } from './version.js';
