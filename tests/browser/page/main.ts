// A page with the whole SDK in reach of the test that drives it, and a worker of its own.
import * as sdk from '@genserve/sdk';

declare global {
  interface Window {
    sdk: typeof sdk;
    startWorker(): Worker;
  }
}

window.sdk = sdk;
window.startWorker = () => new Worker(new URL('./in-worker.ts', import.meta.url), { type: 'module' });
