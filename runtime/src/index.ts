// The public API of @genserve/runtime.
export * from './errors.js';
export type * from './generator.js';
export * from './manifest.js';
export type * from './session.js';
export type * from './tensor.js';
