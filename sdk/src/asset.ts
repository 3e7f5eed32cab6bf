// Fetches one file and says exactly what is wrong when it is not what was asked for: the URL is in every message.
import { GenserveError, throwIfAborted } from '@genserve/runtime';

export interface AssetOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes received so far. */
  readonly onBytes?: ((received: number) => void) | undefined;
  readonly cache?: RequestCache | undefined;
  /** The platform's own when absent. */
  readonly fetch?: typeof fetch | undefined;
}

export function unreachable(url: string, problem: string, cause?: unknown): GenserveError {
  return new GenserveError('ASSET_UNREACHABLE', `${url} ${problem}`, { field: url, cause });
}

/**
 * The body of `url` as bytes.
 * Throws ASSET_UNREACHABLE where there is no answer, a status other than 2xx, or a web page instead of a file
 * (what single-page hosts send for a path that does not exist), and CANCELLED after an abort.
 */
export async function fetchAsset(url: string, options: AssetOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const { signal, cache } = options;
  const load = options.fetch ?? fetch;
  try {
    const response = await load(url, { ...(signal && { signal }), ...(cache && { cache }) });
    if (!response.ok) throw unreachable(url, `answered ${response.status} ${response.statusText}`.trimEnd());
    const type = response.headers.get('content-type') ?? '';
    if (type.startsWith('text/html')) {
      throw unreachable(url, `answered a web page (${type}), not a file`);
    }
    return await readBody(response, options.onBytes);
  } catch (error) {
    throwIfAborted(signal);
    if (error instanceof GenserveError) throw error;
    throw unreachable(url, `could not be fetched: ${GenserveError.from(error).message}`, error);
  }
}

/** Says what is wrong with a .wasm file with which nothing could be started; undefined where nothing is. */
export async function wasmProblem(url: string): Promise<GenserveError | undefined> {
  try {
    const magic = (await fetchAsset(url)).subarray(0, 4).join();
    return magic === '0,97,115,109' ? undefined : unreachable(url, 'is not a WebAssembly file');
  } catch (problem) {
    return GenserveError.from(problem);
  }
}

async function readBody(response: Response, onBytes?: (received: number) => void): Promise<Uint8Array<ArrayBuffer>> {
  if (!onBytes || !response.body) return new Uint8Array(await response.arrayBuffer());
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    length += part.value.length;
    onBytes(length);
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
