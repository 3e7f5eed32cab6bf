// The public API of @genserve/server.
export { addKey } from './access/keys.js';
export { defaultMaxWaitMs, optionPaths, type ServerOptions, type Settings } from './options.js';
export { closeOnSignals, type GenserveServer, type ModelStatus, startServer } from './server.js';
