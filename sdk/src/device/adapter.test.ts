import { afterEach, expect, it, vi } from 'vitest';
import { chooseBackend, chooseThreads } from './adapter.js';

afterEach(() => vi.unstubAllGlobals());
const noLoops = async () => undefined;
const withAdapter = (adapter: object | null) =>
  vi.stubGlobal('navigator', { gpu: { requestAdapter: async () => adapter } });

it('is WebGPU only once an adapter has answered', async () => {
  withAdapter(null);
  expect(await chooseBackend('auto', noLoops)).toEqual({
    backend: 'wasm',
    fallbackReason: 'WebGPU found no adapter',
  });
  withAdapter({});
  expect(await chooseBackend('auto', noLoops)).toEqual({ backend: 'webgpu' });
});

it('leaves models that loop to WebAssembly, unless WebGPU is asked for by name', async () => {
  withAdapter({});
  expect(await chooseBackend('auto', async () => 'Loop')).toEqual({
    backend: 'wasm',
    fallbackReason: 'the model runs Loop on the CPU',
  });
  expect(await chooseBackend('webgpu', async () => 'Loop')).toEqual({ backend: 'webgpu' });
});

it('does not wait for the model where nothing depends on it', async () => {
  const never = () => new Promise<undefined>(() => undefined);
  withAdapter({});
  expect(await chooseBackend('wasm', never)).toEqual({ backend: 'wasm' });
  expect(await chooseBackend('webgpu', never)).toEqual({ backend: 'webgpu' });
  withAdapter(null);
  expect(await chooseBackend('auto', never)).toMatchObject({ backend: 'wasm' });
});

it('takes half of the cores, four at most, and none where the page is not isolated', () => {
  const threadsOf = (hardwareConcurrency: number, crossOriginIsolated: boolean | undefined, asked?: number) => {
    vi.stubGlobal('navigator', { hardwareConcurrency });
    vi.stubGlobal('crossOriginIsolated', crossOriginIsolated);
    return chooseThreads(asked);
  };
  expect([2, 8, 64].map(cores => threadsOf(cores, true).threads)).toEqual([1, 4, 4]);
  expect(threadsOf(8, true, 8)).toEqual({ threads: 8 });
  expect(threadsOf(8, false, 8)).toMatchObject({ threads: 1, threadsReason: expect.stringMatching(/isolated/) });
  expect(threadsOf(2, true).threadsReason).toBe('half of 2 cores');
});
