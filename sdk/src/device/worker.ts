// The script of the worker in which models run.
import { serveWorker } from './host.js';

serveWorker(globalThis);
