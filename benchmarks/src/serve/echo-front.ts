// The bare transport: requests and answers of the same sizes as the server's over the same hop to another process, with
// no model, no batching and no framework in between. `node echo-front.js CORE`, whose process runs on that core.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { generator } from '@genserve/proto/wire';
import { encodeFrameParts, FrameReader } from '@genserve/runtime';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { answerRequests } from '../contestant.js';
import { pinned } from './pin.js';

const [, , core] = process.argv;
const executor = pinned(core, [fileURLToPath(new URL('echo-executor.js', import.meta.url))]);
const child = spawn(executor.file, executor.arguments, { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
const socket = child.stdio[3] as Socket; // a 'pipe' beyond the first three is a duplex Unix socket pair
const frames = new FrameReader();
const waiting = new Map<number, (data: Buffer) => void>();
let next = 0;
socket.on('data', (chunk: Buffer) => {
  for (const message of frames.push(chunk)) {
    const { id, outputs } = message as { id: number; outputs: { data: Uint8Array<ArrayBuffer> } };
    const { buffer, byteOffset, byteLength } = outputs.data;
    waiting.get(id)?.(Buffer.from(buffer, byteOffset, byteLength));
    waiting.delete(id);
  }
});

function hop(feed: Uint8Array, answerBytes: number): Promise<Buffer> {
  return new Promise(resolve => {
    const id = next++;
    waiting.set(id, resolve);
    const feeds = { dtype: 'uint8', shape: [feed.length], data: feed };
    socket.cork();
    for (const part of encodeFrameParts({ id, answerBytes, feeds })) socket.write(part);
    socket.uncork();
  });
}

/** Told once for each pair of sizes. A request without tensors of its own gets feeds of this size. */
let feed = new Uint8Array(0);
let answerBytes = 0;

const http = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const answer = await hop(body.length > feed.length ? body : feed, answerBytes);
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': answer.length }).end(answer);
});
await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve));

const grpc = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
const samplesOf = (data: Buffer) => ({ dtype: 'uint8', shape: [data.length], data, values: [] });
const { sample, reconstruct } = generator.GeneratorServiceService;
grpc.addService(
  { sample, reconstruct },
  {
    sample: async (call: { write(part: unknown): void; end(): void }) => {
      call.write(generator.SampleResponse.fromPartial({ samples: samplesOf(await hop(feed, answerBytes)) }));
      call.end();
    },
    reconstruct: async (
      call: { request: generator.ReconstructRequest },
      callback: (error: null, value: generator.ReconstructResponse) => void,
    ) => {
      const answer = await hop(call.request.inputs?.tensor?.data ?? feed, answerBytes);
      callback(null, generator.ReconstructResponse.fromPartial({ samples: samplesOf(answer) }));
    },
  },
);
const grpcPort = await new Promise<number>((resolve, reject) => {
  grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
    error ? reject(error) : resolve(port),
  );
});

await answerRequests(async (request, argument) => {
  if (request === 'feed') feed = new Uint8Array(argument);
  if (request === 'answer') answerBytes = argument;
  return { http: (http.address() as AddressInfo).port, grpc: grpcPort };
});
process.exit(0);
