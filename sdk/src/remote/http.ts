// Plain fetch against a server: JSON or binary bodies, the server's own errors, retries that honour Retry-After.
import {
  abortError,
  decodeBody,
  type ErrorJson,
  encodeBody,
  FrameReader,
  GenserveError,
  HEAD_LENGTH_HEADER,
  isReason,
  type Message,
  REASONS,
  throwIfAborted,
} from '@genserve/runtime';
import { hasTensor, tensorsToJson } from './tensor-json.js';

export interface HttpOptions {
  /** Sent with every request, e.g. {authorization: 'Bearer …'}. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** How often a request that may succeed later is sent again; 2 when absent. */
  readonly retries?: number | undefined;
  /** Most time for one call, retries included; none when absent. */
  readonly timeoutMs?: number | undefined;
  /** The platform's own when absent. */
  readonly fetch?: typeof fetch | undefined;
}

const BINARY = 'application/octet-stream';
const FRAMES = 'application/x-genserve-frames';
/** Tells the server the seconds that are left, so that it works no longer than anybody waits. */
const TIMEOUT_HEADER = 'x-request-timeout';
const FIRST_DELAY_MS = 200;
const GREATEST_DELAY_MS = 30_000;

/** What bounds one attempt. */
interface Limits {
  readonly signal: AbortSignal;
  /** `performance.now()` at the deadline. */
  readonly endsAt?: number | undefined;
}

export class HttpClient {
  readonly #base: URL;
  readonly #options: HttpOptions;
  /** Whether the server takes binary bodies: assumed until it refuses one. */
  #binary = true;

  constructor(base: URL, options: HttpOptions) {
    this.#base = base;
    this.#options = options;
  }

  /** The answer's JSON. */
  get(path: string, signal?: AbortSignal): Promise<unknown> {
    return this.#retry(signal, async limits => readMessage(await this.#fetch(path, {}, limits)));
  }

  /** The answer's message, tensors in place. */
  post(path: string, message: Message, signal?: AbortSignal): Promise<unknown> {
    return this.#retry(signal, async limits =>
      readMessage(await this.#send(path, message, `${BINARY}, application/json`, limits)),
    );
  }

  /** The messages of a streamed answer, in order. Only its beginning is tried again. */
  async *stream(path: string, message: Message, signal?: AbortSignal): AsyncGenerator<unknown> {
    const response = await this.#retry(signal, limits =>
      this.#send(path, message, `${FRAMES}, application/x-ndjson`, limits),
    );
    try {
      yield* readStream(response);
    } catch (error) {
      throwIfAborted(signal);
      throw error;
    }
  }

  async #send(path: string, message: Message, accept: string, limits: Limits): Promise<Response> {
    if (this.#binary && hasTensor(message)) {
      const { headLength, bytes } = encodeBody(message);
      const headers = { accept, 'content-type': BINARY, [HEAD_LENGTH_HEADER]: String(headLength) };
      try {
        return await this.#fetch(path, { method: 'POST', headers, body: bytes }, limits);
      } catch (error) {
        if (GenserveError.from(error).reason !== 'UNSUPPORTED_MEDIA_TYPE') throw error;
        this.#binary = false;
      }
    }
    const headers = { accept, 'content-type': 'application/json' };
    const body = JSON.stringify(tensorsToJson(message));
    return this.#fetch(path, { method: 'POST', headers, body }, limits);
  }

  async #fetch(path: string, init: RequestInit, { signal, endsAt }: Limits): Promise<Response> {
    const url = new URL(path, this.#base).href;
    const { headers, fetch: load = fetch } = this.#options;
    const leftMs = endsAt === undefined ? undefined : Math.max(1, endsAt - performance.now());
    let response: Response;
    try {
      response = await load(url, {
        ...init,
        headers: {
          ...headers,
          ...(leftMs !== undefined && { [TIMEOUT_HEADER]: (leftMs / 1000).toFixed(3) }),
          ...init.headers,
        },
        signal,
      });
    } catch (error) {
      throwIfAborted(signal);
      const why = GenserveError.from(error).message;
      throw new GenserveError('ASSET_UNREACHABLE', `${url} could not be reached: ${why}`, { field: url, cause: error });
    }
    if (!response.ok) throw await readError(response, url);
    return response;
  }

  async #retry<T>(signal: AbortSignal | undefined, attempt: (limits: Limits) => Promise<T>): Promise<T> {
    const { retries = 2, timeoutMs } = this.#options;
    const endsAt = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
    const signals = [signal, timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs)];
    const deadline = AbortSignal.any(signals.filter(limit => limit !== undefined));
    for (let tried = 0; ; tried++) {
      throwIfAborted(deadline);
      try {
        return await attempt({ signal: deadline, endsAt });
      } catch (error) {
        throwIfAborted(deadline);
        const failure = GenserveError.from(error);
        if (!failure.retryable || tried >= retries) throw failure;
        // Half of the delay is left to chance, so that clients that were refused together do not return together.
        const backOff = FIRST_DELAY_MS * 2 ** tried * (0.5 + Math.random() / 2);
        await wait(Math.min(failure.retryAfterMs ?? backOff, GREATEST_DELAY_MS), deadline);
      }
    }
  }
}

function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(abortError(signal));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, milliseconds);
    signal.addEventListener('abort', abort, { once: true });
  });
}

async function readMessage(response: Response): Promise<unknown> {
  const headLength = response.headers.get(HEAD_LENGTH_HEADER);
  if (headLength === null) return response.json();
  return decodeBody(new Uint8Array(await response.arrayBuffer()), Number(headLength));
}

/** Frames where the server sends them, else lines of JSON; a line or frame {error} ends the stream. */
async function* readStream(response: Response): AsyncGenerator<unknown> {
  if (!response.body) return;
  const isFrames = response.headers.get('content-type')?.startsWith(FRAMES) ?? false;
  const split = isFrames ? new FrameReader() : new LineReader();
  const reader = response.body.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      for (const message of split.push(part.value)) yield checked(message);
    }
    split.end();
  } finally {
    await reader.cancel();
  }
}

function checked(message: unknown): unknown {
  const error = errorOf(message);
  if (error) throw GenserveError.fromJSON(error);
  return message;
}

class LineReader {
  readonly #decoder = new TextDecoder();
  #rest = '';

  push(chunk: Uint8Array): unknown[] {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.filter(line => line.trim() !== '').map(line => JSON.parse(line) as unknown);
  }

  end(): void {
    if (this.#rest.trim() !== '') throw new GenserveError('INTERNAL', 'the stream ended inside a line');
  }
}

/**
 * The server's error body: contract, section 9; /v2 has a string with the reason in front. A reason that is not known
 * here, of a newer server, is INTERNAL.
 */
function errorOf(body: unknown): ErrorJson | undefined {
  const given = (body as { error?: unknown } | null | undefined)?.error; // any JSON value has this or undefined
  const error = typeof given === 'string' ? /^(?<reason>\w+): (?<message>.*)/s.exec(given)?.groups : given;
  if (typeof error !== 'object' || error === null || !('reason' in error && 'message' in error)) return undefined;
  const reason = String(error.reason);
  return { ...error, reason: isReason(reason) ? reason : 'INTERNAL', message: String(error.message) };
}

/** The server's own error, or the nearest reason to the status that something between us and it gave. */
async function readError(response: Response, url: string): Promise<GenserveError> {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : undefined;
  const body: unknown = await response.json().catch(() => undefined);
  const error = errorOf(body);
  if (error) return GenserveError.fromJSON({ ...error, retryAfterMs });
  const { status } = response;
  const reason =
    status === 502
      ? 'MODEL_UNAVAILABLE'
      : (Object.keys(REASONS)
          .filter(isReason)
          .find(candidate => REASONS[candidate] === status) ?? 'INTERNAL');
  return new GenserveError(reason, `${url} answered ${status} ${response.statusText}`.trimEnd(), { retryAfterMs });
}
