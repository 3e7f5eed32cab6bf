// What one would write without genserve: an express handler that calls session.run for each request. `node express.js BUNDLE`
import type { AddressInfo } from 'node:net';
import { buildFeeds, findOperation } from '@genserve/runtime';
import express from 'express';
import { answerRequests } from '../contestant.js';
import { onnxFeeds, openRaw } from './session.js';

const [, , folder = ''] = process.argv;
const { manifest, session } = await openRaw(folder);
const operation = findOperation(manifest, 'sample');
const output = operation.outputs.find(({ role }) => role === 'data')?.name ?? '';
const sampling = await session('sample');

const app = express();
app.use(express.json());
app.post('/sample', async (request, response) => {
  const { count, seed } = request.body as { count: number; seed: number };
  const outputs = await sampling.run(onnxFeeds(buildFeeds(manifest, operation, count, {}, { seed })));
  const { buffer, byteOffset, byteLength } = outputs[output]!.data as Float32Array<ArrayBuffer>;
  response.type('application/octet-stream').send(Buffer.from(buffer, byteOffset, byteLength));
});
const server = app.listen(0, '127.0.0.1');
await new Promise(resolve => server.once('listening', resolve));

await answerRequests(async () => ({ http: (server.address() as AddressInfo).port }));
process.exit(0);
