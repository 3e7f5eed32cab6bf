// The executor: a process that holds onnxruntime sessions and runs them for the front, one request at a time.
// A run blocks this process's event loop, cannot be stopped, and may abort: that is why it is a process of its own.
// Started with its socket as file descriptor 3 and the number of threads as its argument; ends when the socket closes.
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import {
  type ExecutorRequest,
  encodeFrameParts,
  executorHost,
  FrameReader,
  GenserveError,
  type Session,
  serialQueue,
  type Tensor,
  type Tensors,
  threadsWorth,
} from '@genserve/runtime';
import * as onnxruntime from 'onnxruntime-node';
import { sourceOf } from '../repository/folder-source.js';
import { withInitialState } from '../scheduler/initial-state.js';
import { type Load, readGraph, replyMessage } from './messages.js';

const socketDescriptor = 3;
/** As much as the system holds of a socket pair unless told otherwise. */
const receivedBytes = 212_992;
const threads = Number(process.argv[2] ?? 1);
// Written by the front, the other half of this program.
const sessionOptions = JSON.parse(process.argv[3] ?? '{}') as Record<string, string>;

async function openSession(load: Load): Promise<Session> {
  const { model, externalData, operation } = await readGraph(load, sourceOf);
  const session = await onnxruntime.InferenceSession.create(model, {
    externalData: [...externalData],
    executionProviders: ['cpu'],
    intraOpNumThreads: threadsWorth(model, threads),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    // Threads that spin between runs would take the cores from the front and from other executors.
    extra: { session: { 'intra_op.allow_spinning': '0', ...sessionOptions } },
  });
  return {
    run: (feeds, options) => run(session, withInitialState(operation, feeds), options?.outputs),
    close: () => session.release(),
  };
}

async function run(
  session: onnxruntime.InferenceSession,
  feeds: Tensors,
  outputs: readonly string[] = session.outputNames,
): Promise<Tensors> {
  const given: Record<string, onnxruntime.Tensor> = {};
  for (const [name, { dtype, data, shape }] of Object.entries(feeds)) {
    given[name] = new onnxruntime.Tensor(dtype, data, shape);
  }
  const results = await session.run(given, outputs);
  return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, fromOnnxruntime(name, value)]));
}

function fromOnnxruntime(name: string, { data, dims: shape, type }: onnxruntime.Tensor): Tensor {
  // onnxruntime-node answers in plain ArrayBuffers; its typings leave that open.
  if (data instanceof Float32Array) return { dtype: 'float32', shape, data: data as Float32Array<ArrayBuffer> };
  if (data instanceof Int32Array) return { dtype: 'int32', shape, data: data as Int32Array<ArrayBuffer> };
  throw new GenserveError('INTERNAL', `the output ${name} is ${type}; bundles give float32 and int32 only`);
}

const frames = new FrameReader();
const answer = executorHost(openSession);
const inTurn = serialQueue();
/** Of a new socket, too, though its typings have it of connections alone. */
const socketOptions: SocketConstructorOpts & { readonly onread: OnReadOpts } = {
  fd: socketDescriptor,
  readable: true,
  writable: true,
  // One buffer for all that is read: a new one for each piece of a large tensor would be garbage at once.
  onread: {
    buffer: new Uint8Array(receivedBytes),
    callback(length, buffer) {
      receive(buffer.subarray(0, length));
      return true;
    },
  },
};
const socket = new Socket(socketOptions);

function receive(bytes: Uint8Array): void {
  for (const message of frames.push(bytes)) {
    // The front is the other half of this program: its frames have this type.
    void inTurn(async () => send(encodeFrameParts(replyMessage(await answer(message as ExecutorRequest<Load>)))));
  }
}

/**
 * In one system call, and without copying the tensors. Settles once the system has taken all of it: a run that began
 * before would hold back the rest of the answer until it has ended.
 */
function send(parts: readonly Uint8Array[]): Promise<void> {
  return new Promise(resolve => {
    socket.cork();
    parts.forEach((part, i) => {
      socket.write(part, i === parts.length - 1 ? () => resolve() : undefined);
    });
    socket.uncork();
  });
}

socket.on('error', () => process.exit(1));
socket.on('close', () => process.exit(0));
// Ctrl-C reaches the whole process group: the front decides when its executors end.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
