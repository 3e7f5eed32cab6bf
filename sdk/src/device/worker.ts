// The script of the worker in which models run.
import { serveWorker } from './executor.js';

serveWorker(globalThis);
