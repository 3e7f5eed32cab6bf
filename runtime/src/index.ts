// The public API of @genserve/runtime.
export * from './bundle.js';
export * from './cancel.js';
export * from './errors.js';
export * from './frames.js';
export type * from './generator.js';
export * from './manifest.js';
export * from './noise.js';
export * from './npy.js';
export * from './protocol.js';
export * from './queue.js';
export type * from './session.js';
export { sha256 } from './sha256.js';
export * from './tensor.js';
export * from './text.js';
