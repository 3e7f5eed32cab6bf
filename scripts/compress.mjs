// Leaves a .br beside every file of the playground that is worth it, so that the server compresses none while callers
// wait: 14 MB of WebAssembly travel as 3. Files under assets/ bear a hash of their content in their name, and the cache goes by it.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants } from 'node:zlib';
import { root } from './setup.mjs';

const folder = `${root}playground/dist/assets`;
const cache = `${root}node_modules/.cache/genserve-compressed`;
const leastBytes = 4096;
/** Of 11: a second for 14 MB, and within 3 % of what five times as long gives. */
const quality = 6;

mkdirSync(cache, { recursive: true });
for (const name of readdirSync(folder).filter(name => /\.(wasm|js|css)$/.test(name))) {
  const bytes = readFileSync(`${folder}/${name}`);
  if (bytes.length < leastBytes || existsSync(`${folder}/${name}.br`)) continue;
  if (!existsSync(`${cache}/${name}.br`)) {
    const params = { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
    writeFileSync(`${cache}/${name}.br`, brotliCompressSync(bytes, { params }));
  }
  copyFileSync(`${cache}/${name}.br`, `${folder}/${name}.br`);
}
