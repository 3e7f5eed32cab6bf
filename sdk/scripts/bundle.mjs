// Makes dist/browser/: the package as files that a page without a bundler loads as they are, with onnxruntime-web's
// modules and .wasm files left to `assets`. Beside index.js lie element.js and worker.js. Another folder may be named.
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = process.argv[2] ?? `${root}dist/browser`;

/** Bundled apart from the page's code: a worker is a program of its own. */
async function bundle(input, file) {
  await build({
    input,
    platform: 'browser',
    // `assets.<backend>.module` gives its address; without one these imports fail, and say so.
    external: /^(onnxruntime-web|#onnxruntime)/,
    output: {
      dir: folder,
      entryFileNames: '[name].js',
      chunkFileNames: '[name].js',
      minify: true,
      ...file,
    },
  });
}

await rm(folder, { recursive: true, force: true });
await bundle({ index: `${root}dist/index.js`, element: `${root}dist/element.js` });
await bundle({ worker: `${root}dist/device/worker.js` });
