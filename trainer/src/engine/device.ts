// Where compiled steps run: onnxruntime's execution providers, and which one `auto` takes.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { GenserveError } from '@genserve/runtime';
import * as ort from 'onnxruntime-node';
import { GraphBuilder } from '../graph/builder.js';
import { writeModel } from '../graph/write.js';

export const devices = ['cpu', 'cuda', 'webgpu'] as const;
export type Device = (typeof devices)[number];

const howToGet: Readonly<Record<Device, string>> = {
  cpu: '',
  cuda: 'README says how to add CUDA',
  webgpu: 'a Vulkan, Metal or Direct3D driver is needed',
};

export interface ChosenDevice {
  readonly device: Device;
  /** Why, for people: "no CUDA here: ...". */
  readonly reason: string;
}

/**
 * CUDA where it works, else the CPU. WebGPU is taken only by name: nothing tells a graphics card from a software renderer,
 * which is far slower than the CPU's own kernels.
 */
export async function chooseDevice(): Promise<ChosenDevice> {
  const why = await failure('cuda');
  return why === undefined
    ? { device: 'cuda', reason: 'a CUDA device was found' }
    : { device: 'cpu', reason: `no CUDA device can be used: ${why}` };
}

/** @throws BACKEND_UNAVAILABLE with what is missing. */
export async function requireDevice(device: Device): Promise<void> {
  if (device === 'cpu') return;
  const why = await failure(device);
  if (why !== undefined)
    throw new GenserveError('BACKEND_UNAVAILABLE', `device: ${device} cannot be used: ${why}; ${howToGet[device]}`, {
      field: 'device',
    });
}

/** Why a device cannot run a graph of one node; undefined where it can. */
async function failure(device: Device): Promise<string | undefined> {
  // onnxruntime shouts into the log before it says so itself
  if (device === 'cuda' && !existsSync(cudaLibrary())) return "onnxruntime-node's CUDA library is not installed";
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', [2, 2]);
  const graph = builder.graph('probe', [{ name: 'y', value: builder.emit('MatMul', [x, x]) }]);
  try {
    const session = await ort.InferenceSession.create(writeModel(graph), {
      executionProviders: [device],
      logSeverityLevel: 4,
    });
    const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(1, 2, 3, 4), [2, 2]) });
    await session.release();
    return y?.data[0] === 7 ? undefined : 'it gave a wrong product';
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
  }
}

function cudaLibrary(): string {
  const main = createRequire(import.meta.url).resolve('onnxruntime-node');
  const name = process.platform === 'win32' ? 'onnxruntime_providers_cuda.dll' : 'libonnxruntime_providers_cuda.so';
  return join(dirname(main), '..', 'bin', 'napi-v6', process.platform, process.arch, name);
}
