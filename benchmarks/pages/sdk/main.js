// The page of `genserve bench sdk`: a first picture as soon as it is opened, and then the SDK and onnxruntime-web by
// hand, a turn of either when it is asked for.
import { loadGenerator, toCanvas } from '@genserve/sdk';
import * as ort from 'onnxruntime-web/wasm';

const COUNT = 16;
const bundle = new URLSearchParams(location.search).get('bundle');

// Half precision, as browsers get it by default.
const first = await loadGenerator(bundle, { device: 'wasm' });
document.body.append(toCanvas((await first.sample({ seed: 7 })).data));
/** Milliseconds from the start of the navigation to a picture on the page. */
window.firstPictureMs = performance.now();
await first.dispose();

/** Makes both sides ready; float32, so that they run the same graph. */
window.prepare = async () => {
  const generator = await loadGenerator(bundle, { device: 'wasm', precision: 'float32' });
  const bytes = async name => new Uint8Array(await (await fetch(`${bundle}${name}`)).arrayBuffer());
  const session = await ort.InferenceSession.create(await bytes('sample.onnx'), {
    executionProviders: ['wasm'],
    externalData: [{ path: 'weights.bin', data: await bytes('weights.bin') }],
  });
  const { inputs, outputs } = generator.manifest.operations.find(({ name }) => name === 'sample');
  const feeds = Object.fromEntries(
    inputs.map(({ name, shape, default: value = 0.5 }) => {
      const dims = [COUNT, ...shape.slice(1)];
      const data = new Float32Array(dims.reduce((product, length) => product * length, 1)).fill(value);
      return [name, new ort.Tensor('float32', data, dims)];
    }),
  );
  window.sides = {
    sdk: async seed => (await generator.sample({ count: COUNT, seed })).data.data.length,
    raw: async () => (await session.run(feeds))[outputs[0].name].data.length,
  };
};

/** Pictures per second of one side over `milliseconds`. */
window.turn = async (side, milliseconds) => {
  const start = performance.now();
  let calls = 0;
  while (performance.now() - start < milliseconds) await window.sides[side](calls++);
  return (calls * COUNT * 1000) / (performance.now() - start);
};
