// The public API of @genserve/runtime.
export * from './errors.js';
export type * from './generator.js';
export * from './manifest.js';
export * from './noise.js';
export type * from './session.js';
export { sha256 } from './sha256.js';
export type * from './tensor.js';
export * from './text.js';
