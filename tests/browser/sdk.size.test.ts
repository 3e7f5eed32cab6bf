// What visitors download of our own code, gzipped, without onnxruntime-web; and that a page that only asks a server
// downloads no byte of that.
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { build, type Rolldown } from 'vite';
import { describe, expect, it } from 'vitest';

const KB = 1024;
const here = fileURLToPath(new URL('.', import.meta.url));
const onDevice = `import { loadGenerator } from '@genserve/sdk';
  const generator = await loadGenerator('/bundles/mnist-vae/1/');
  console.log(await generator.sample());`;
const onServer = `import { connect } from '@genserve/sdk';
  const generator = await connect('/', { model: 'mnist-vae' });
  console.log(await generator.sample());`;
const inWorker = `import '@genserve/sdk/worker';`;

/** Stands for a file that has these lines. */
const entry = (lines: string) => ({
  name: 'entry',
  resolveId: (id: string) => (id === 'entry' ? `${here}entry.js` : undefined),
  load: (id: string) => (id === `${here}entry.js` ? lines : undefined),
});

/**
 * Bytes of our own code, gzipped: of what runs before the first picture, or of everything, with what is loaded when
 * scores, ways between codes and the like are first asked for.
 */
async function sizeOf(lines: string, part: 'first' | 'all'): Promise<number> {
  const later = {
    name: 'later',
    resolveDynamicImport: (id: string | object) => (typeof id === 'string' ? { id, external: true } : undefined),
  };
  const bundle = await rolldown({
    input: 'entry',
    platform: 'browser',
    external: /^(onnxruntime-web|#onnxruntime-wasm)/,
    plugins: [entry(lines), ...(part === 'first' ? [later] : [])],
  });
  const { output } = await bundle.generate({ minify: true, codeSplitting: false });
  return gzipSync(output[0].code, { level: 9 }).length;
}

/** The files of a page of these lines, built as an application would. */
async function filesOf(lines: string): Promise<string[]> {
  const result = await build({
    configFile: false,
    logLevel: 'silent',
    root: here,
    worker: { format: 'es' },
    build: { write: false, target: 'es2022', rolldownOptions: { input: 'entry' } },
    plugins: [{ ...entry(lines), enforce: 'pre' }],
  });
  const { output } = [result].flat()[0] as Rolldown.RolldownOutput; // not a watcher: `watch` is not set
  return output.map(({ fileName }) => fileName);
}

describe('the size of what is downloaded', () => {
  it('is at most 15 kB before the first picture of a model on the device, worker included', async () => {
    const [page, worker, all] = await Promise.all([
      sizeOf(onDevice, 'first'),
      sizeOf(inWorker, 'first'),
      sizeOf(onDevice, 'all'),
    ]);
    console.log(`on the device: ${page} bytes in the page, ${worker} in its worker; ${all - page} may follow`);
    expect(worker).toBeGreaterThan(1000);
    expect(page + worker).toBeLessThanOrEqual(15 * KB);
    expect(all - page).toBeLessThanOrEqual(12 * KB);
  });

  it('is at most 9 kB for a model on a server, and none of it is onnxruntime', async () => {
    const [size, files] = await Promise.all([sizeOf(onServer, 'first'), filesOf(onServer)]);
    console.log(`on a server: ${size} bytes`);
    // Nothing follows.
    expect(files).toHaveLength(1);
    expect(size).toBeLessThanOrEqual(9 * KB);
  });

  it('holds the builds of onnxruntime-web as files of their own', async () => {
    expect((await filesOf(onDevice)).filter(name => name.endsWith('.wasm'))).toHaveLength(3);
  });
});
