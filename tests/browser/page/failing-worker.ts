// The SDK's worker on a GPU that fails: "?lost" loses the device while a graph runs, "?once"
// does so in the first worker alone, "?nan" gives numbers that are none.
// Bundled as a page without a bundler would be given it, by its address.
import '@genserve/sdk/worker';

/** What of WebGPU is changed here; the DOM library of TypeScript does not have it everywhere. */
declare const GPUAdapter: { prototype: { requestDevice(options?: object): Promise<{ destroy(): void }> } };

const fault = new URL(globalThis.location.href).searchParams;
let backend = '';
globalThis.addEventListener('message', ({ data }: MessageEvent<{ load?: { start?: { backend: string } } }>) => {
  backend = data.load?.start?.backend ?? backend;
});

/** Whether this worker is the first of its page that asks. */
async function isFirst(): Promise<boolean> {
  const cache = await caches.open('failing-worker');
  const before = await cache.match('/failed');
  await cache.put('/failed', new Response());
  return before === undefined;
}

if (fault.has('lost') || fault.has('once')) {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (options) {
    const device = await requestDevice.call(this, options);
    if (fault.has('once') && !(await isFirst())) return device;
    globalThis.addEventListener('message', ({ data }: MessageEvent<{ kind: string }>) => {
      if (data.kind === 'run') device.destroy();
    });
    return device;
  };
}

if (fault.has('nan')) {
  // The worker's own: TypeScript has the window's here.
  const post = globalThis.postMessage.bind(globalThis) as (message: unknown, options?: unknown) => void;
  const poisoned = (message: { outputs?: Record<string, { data: Float32Array }> }, options?: unknown) => {
    if (backend === 'webgpu') for (const { data } of Object.values(message.outputs ?? {})) data[0] = Number.NaN;
    post(message, options);
  };
  Object.assign(globalThis, { postMessage: poisoned });
}
