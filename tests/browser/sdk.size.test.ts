// What visitors download of our own code, gzipped, without onnxruntime-web; and that a page that only asks a server
// downloads no byte of that.
import { gzipSync } from 'node:zlib';
import { build, type Rolldown } from 'vite';
import { describe, expect, it } from 'vitest';

const KB = 1024;

interface Download {
  /** Bytes of our own code, gzipped. */
  readonly page: number;
  readonly worker: number;
  readonly files: readonly string[];
}

/** Builds a page of one line as an application would. */
async function download(line: string): Promise<Download> {
  const entry = '\0entry';
  const result = await build({
    configFile: false,
    logLevel: 'silent',
    root: new URL('.', import.meta.url).pathname,
    worker: { format: 'es' },
    build: { write: false, target: 'es2022', modulePreload: false, rolldownOptions: { input: 'entry' } },
    plugins: [
      {
        name: 'entry',
        enforce: 'pre',
        resolveId: (id: string) => (id === 'entry' ? entry : undefined),
        load: (id: string) => (id === entry ? line : undefined),
      },
    ],
  });
  const { output } = [result].flat()[0] as Rolldown.RolldownOutput; // not a watcher: `watch` is not set
  const chunks = output.filter(file => file.type === 'chunk');
  const start = chunks.find(chunk => chunk.isEntry);
  const reached = new Set<string>();
  const visit = (name: string) => {
    const chunk = chunks.find(({ fileName }) => fileName === name);
    if (!chunk || reached.has(name)) return;
    reached.add(name);
    chunk.imports.forEach(visit);
  };
  visit(start?.fileName ?? '');
  const size = (code: string | Uint8Array) => gzipSync(code, { level: 9 }).length;
  const worker = output.find(file => /worker-/.test(file.fileName));
  return {
    page: chunks.filter(({ fileName }) => reached.has(fileName)).reduce((sum, { code }) => sum + size(code), 0),
    worker: worker?.type === 'asset' ? size(worker.source) : 0,
    files: output.map(({ fileName }) => fileName),
  };
}

describe('the size of what is downloaded', () => {
  it('is small for a model on the device: at most 15 kB in the page and 3 kB in the worker', async () => {
    const { page, worker, files } = await download(
      `import { loadGenerator } from '@genserve/sdk';
       const generator = await loadGenerator('/bundles/mnist-vae/1/');
       console.log(await generator.sample());`,
    );
    console.log(`on the device: ${page} bytes in the page, ${worker} in the worker`);
    expect(files.filter(name => name.endsWith('.wasm')).length).toBe(3);
    expect(worker).toBeGreaterThan(1000);
    expect(worker).toBeLessThanOrEqual(3 * KB);
    expect(page).toBeLessThanOrEqual(15 * KB);
  });

  it('is at most 9 kB for a model on a server, and none of it is onnxruntime', async () => {
    const { page, files } = await download(
      `import { connect } from '@genserve/sdk';
       const generator = await connect('/', { model: 'mnist-vae' });
       console.log(await generator.sample());`,
    );
    console.log(`on a server: ${page} bytes`);
    expect(files).toHaveLength(1);
    expect(page).toBeLessThanOrEqual(9 * KB);
  });
});
