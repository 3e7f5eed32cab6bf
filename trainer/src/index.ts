// The public API of @genserve/trainer.
export * from './data/batches.js';
export * from './data/binarise.js';
export type * from './data/dataset.js';
export * from './data/open.js';
export type * from './data/options.js';
export * from './engine/eager.js';
export type * from './engine/engine.js';
export type * from './engine/program.js';
export type * from './family.js';
export * from './nn/variable.js';
