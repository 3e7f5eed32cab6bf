// A first picture with onnxruntime-web alone, in the page: no worker, no check of what was fetched, no seed.
import * as ort from 'onnxruntime-web/wasm';

const bundle = new URLSearchParams(location.search).get('bundle');
const fetched = async name => (await fetch(`${bundle}${name}`)).arrayBuffer();

const [manifest, model, weights] = await Promise.all(['manifest.json', 'sample.onnx', 'weights.bin'].map(fetched));
const { inputs } = JSON.parse(new TextDecoder().decode(manifest)).operations.find(({ name }) => name === 'sample');
const session = await ort.InferenceSession.create(model, {
  executionProviders: ['wasm'],
  externalData: [{ path: 'weights.bin', data: new Uint8Array(weights) }],
});
const feeds = inputs.map(({ name, shape, role, default: value = 0 }) => {
  const dims = [1, ...shape.slice(1)];
  const data = new Float32Array(dims.reduce((product, length) => product * length, 1)).fill(value);
  return [name, new ort.Tensor('float32', role === 'noise' ? data.map(() => Math.random()) : data, dims)];
});
const [{ data, dims }] = Object.values(await session.run(Object.fromEntries(feeds)));
const [, height, width] = dims;
const canvas = document.createElement('canvas');
Object.assign(canvas, { width, height });
const pixels = Uint8ClampedArray.from({ length: 4 * data.length }, (_, i) => (i % 4 < 3 ? 255 * data[i >> 2] : 255));
canvas.getContext('2d').putImageData(new ImageData(pixels, width, height), 0, 0);
document.body.append(canvas);
/** Milliseconds from the start of the navigation to a picture on the page. */
window.firstPictureMs = performance.now();
