// The public API of @genserve/server.
export type { ServerOptions } from './options.js';
export { closeOnSignals, type GenserveServer, type ModelStatus, startServer } from './server.js';
