// The process that is measured: the server as users start it, with one executor of one thread. `node front.js MODELS CORE`
import { execFileSync } from 'node:child_process';
import { startServer } from '@genserve/server';
import { answerRequests } from '../contestant.js';

const [, , models = 'models', core] = process.argv;
const server = await startServer({ models, httpPort: 0, grpcPort: 0, executors: { count: 1, threads: 1 } });
await server.loaded;
if (core !== undefined) for (const pid of server.executors) execFileSync('taskset', ['-acp', core, String(pid)]);

await answerRequests(async request => {
  if (request === 'ports') return { http: server.httpPort, grpc: server.grpcPort };
  const { user, system } = process.cpuUsage();
  if (request === 'cpu') return { cpuMs: (user + system) / 1000 };
  throw new Error(`request ${request}; known are ports and cpu`);
});
await server.close();
process.exit(0);
