// A page with the whole SDK in reach of the test that drives it, and a worker of its own.
import * as sdk from '@genserve/sdk';
import { everyOperation } from './every-operation.js';
import failingWorker from './failing-worker.js?worker&url';
import { slowWorkers } from './slow-workers.js';

declare global {
  interface Window {
    sdk: typeof sdk;
    startWorker(): Worker;
    everyOperation: typeof everyOperation;
    /** Address of failing-worker.ts, bundled. */
    failingWorker: string;
    slowWorkers: typeof slowWorkers;
  }
}

window.sdk = sdk;
window.everyOperation = everyOperation;
window.failingWorker = failingWorker;
window.slowWorkers = slowWorkers;
window.startWorker = () => new Worker(new URL('./in-worker.ts', import.meta.url), { type: 'module' });
