// Builds a page with Vite, as an application would, and serves it with the runtime's fixtures from one origin: whole,
// or broken in the ways in which hosts break files.
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type InlineConfig } from 'vite';

const here = fileURLToPath(new URL('.', import.meta.url));
const fixtures = fileURLToPath(new URL('../../runtime/fixtures', import.meta.url));
const models = fileURLToPath(new URL('../../models', import.meta.url));
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
};

/** Answers in place of the file that was asked for. */
export type Answer = (response: ServerResponse, bytes: Buffer) => void;

export interface PageHost extends AsyncDisposable {
  readonly url: string;
  /** Address of a bundle's folder, e.g. "tiny/1". */
  bundle(name: string): string;
  readonly requests: string[];
  /** What to answer for paths that end so. */
  readonly broken: Map<string, Answer>;
  /** Cross-origin isolation of the page. */
  isolated: boolean;
}

/** Options of a build of the test's page; `outDir` is the caller's. */
export function pageBuild(outDir: string): InlineConfig {
  return {
    root: join(here, 'page'),
    base: './',
    configFile: false,
    logLevel: 'silent',
    worker: { format: 'es' },
    build: { outDir, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 },
  };
}

/** Bundles are those of `bundles`, or else the shipped models and the runtime's fixtures; the rest is the page. */
function fileOf(path: string, folder: string, bundles: string | undefined): string {
  if (!path.startsWith('/bundles/')) return join(folder, path === '/' ? 'index.html' : path);
  const own = path.startsWith('/bundles/mnist-') ? models : fixtures;
  return join(bundles ?? own, path.slice('/bundles'.length));
}

/** `bundles` is a folder of bundles to serve instead of the usual ones. */
export async function hostPage({ bundles }: { readonly bundles?: string } = {}): Promise<PageHost> {
  const folder = await mkdtemp(join(tmpdir(), 'genserve-page-'));
  await build(pageBuild(folder));
  const requests: string[] = [];
  const broken = new Map<string, Answer>();
  const host = { isolated: false };
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    requests.push(path);
    const file = fileOf(path, folder, bundles);
    const size = await stat(file).then(
      stats => (stats.isFile() ? stats.size : undefined),
      () => undefined,
    );
    if (size === undefined) return response.writeHead(404).end();
    const answer = [...broken].find(([end]) => path.endsWith(end))?.[1];
    if (answer) return answer(response, await readFile(file));
    response.writeHead(200, {
      'content-type': types[extname(file)] ?? 'application/octet-stream',
      'content-length': size,
      'cache-control': path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
      'cross-origin-resource-policy': 'cross-origin',
      ...(host.isolated && {
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
      }),
    });
    return createReadStream(file).pipe(response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/`;
  return Object.assign(host, {
    url,
    bundle: (name: string) => `${url}bundles/${name}/`,
    requests,
    broken,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
      await rm(folder, { recursive: true });
    },
  });
}
