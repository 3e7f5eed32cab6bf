// The page of `genserve bench sdk`: a first picture as soon as it is opened, and then the SDK and onnxruntime-web by
// hand, a turn of each when it is asked for. By hand is in the page, which stands still meanwhile, and in a worker.
import { loadGenerator, toCanvas } from '@genserve/sdk';

const bundle = new URLSearchParams(location.search).get('bundle');

// Half precision, as browsers get it by default.
const first = await loadGenerator(bundle, { device: 'wasm' });
document.body.append(toCanvas((await first.sample({ seed: 7 })).data));
/** Milliseconds from the start of the navigation to a picture on the page. */
window.firstPictureMs = performance.now();
await first.dispose();

/** Makes both sides ready for calls of so many pictures; float32, so that they run the same graph. */
window.prepare = async count => {
  // Here alone: a page that draws with the SDK has no onnxruntime of its own.
  const ort = await import('onnxruntime-web/wasm');
  const generator = await loadGenerator(bundle, { device: 'wasm', precision: 'float32' });
  const bytes = async name => new Uint8Array(await (await fetch(`${bundle}${name}`)).arrayBuffer());
  const model = await bytes('sample.onnx');
  const externalData = [{ path: 'weights.bin', data: await bytes('weights.bin') }];
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'], externalData });
  const worker = new Worker(new URL('./by-hand.js', import.meta.url), { type: 'module' });
  const ask = message =>
    new Promise(resolve => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.postMessage(message);
    });
  await ask({ graph: { model, externalData } });
  const { inputs } = generator.manifest.operations.find(({ name }) => name === 'sample');
  // Drawn for every call, as a caller must: the model takes its noise as an input.
  const draw = ({ name, shape, role, default: value = 0 }) => {
    const dims = [count, ...shape.slice(1)];
    const data = new Float32Array(dims.reduce((product, length) => product * length, 1)).fill(value);
    if (role === 'noise') for (let i = 0; i < data.length; i += 2) [data[i], data[i + 1]] = normalPair();
    return [name, data, dims];
  };
  const run = async feeds => {
    const tensors = feeds.map(([name, data, dims]) => [name, new ort.Tensor('float32', data, dims)]);
    return Object.values(await session.run(Object.fromEntries(tensors)))[0];
  };
  window.count = count;
  window.sides = {
    sdk: async seed => (await generator.sample({ count, seed })).data.data.length,
    raw: async () => (await run(inputs.map(draw))).data.length,
    raw_in_worker: async () => (await ask({ feeds: inputs.map(draw) })).length,
  };
};

/** Two numbers of a normal distribution (Box & Muller 1958). */
function normalPair() {
  const radius = Math.sqrt(-2 * Math.log(1 - Math.random()));
  const angle = 2 * Math.PI * Math.random();
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/** Pictures per second of one side over `milliseconds`. */
window.turn = async (side, milliseconds) => {
  const start = performance.now();
  let calls = 0;
  while (performance.now() - start < milliseconds) await window.sides[side](calls++);
  return (calls * window.count * 1000) / (performance.now() - start);
};
