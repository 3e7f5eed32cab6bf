// A web host on loopback as a page's owner would set it up: files kept for good where their names tell their content,
// .wasm sent compressed.
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { gzipSync } from 'node:zlib';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

export interface FolderHost {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves each folder under its path; the longest path that fits wins. */
export async function serveFolders(folders: Readonly<Record<string, string>>): Promise<FolderHost> {
  const paths = Object.keys(folders).sort((a, b) => b.length - a.length);
  const compressed = new Map<string, Buffer>();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const path = paths.find(prefix => pathname.startsWith(prefix)) ?? '/';
    const file = `${folders[path]}/${pathname.slice(path.length) || 'index.html'}`;
    if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    const headers = {
      'content-type': types[extname(file)] ?? 'application/octet-stream',
      'cache-control': pathname.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    };
    if (extname(file) !== '.wasm') {
      response.writeHead(200, headers);
      return createReadStream(file).pipe(response);
    }
    const body = compressed.get(file) ?? gzipSync(readFileSync(file));
    compressed.set(file, body);
    return response.writeHead(200, { ...headers, 'content-encoding': 'gzip', 'content-length': body.length }).end(body);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
