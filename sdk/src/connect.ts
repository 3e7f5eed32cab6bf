// Models on a server: a list of them, and one as a Generator.
import { type CallOptions, type Manifest, parseManifest } from '@genserve/runtime';
import { baseUrl } from './address.js';
import { RemoteGenerator } from './remote/generator.js';
import { HttpClient, type HttpOptions } from './remote/http.js';
import { fieldsOf, listOf } from './remote/messages.js';

export interface ServerOptions extends HttpOptions {
  readonly signal?: CallOptions['signal'];
}

export interface ConnectOptions extends ServerOptions {
  readonly model: string;
  /** The newest when absent. */
  readonly version?: number | undefined;
}

export interface ModelSummary {
  readonly name: string;
  readonly versions: readonly number[];
  readonly family: string;
  readonly description: string;
  readonly state: 'ready' | 'loading' | 'unavailable';
  /** Why it is unavailable. */
  readonly reason: string;
  readonly operations: readonly string[];
}

/** The models that a server has. Throws ASSET_UNREACHABLE where nobody answers. */
export async function listModels(url: string | URL, options: ServerOptions = {}): Promise<readonly ModelSummary[]> {
  const http = new HttpClient(baseUrl(url), options);
  const answer = fieldsOf(await http.get('v1/models', options.signal));
  return listOf(answer, 'models').map(model => {
    const { name, versions, family, description, state, reason, operations } = fieldsOf(model);
    return {
      name: String(name),
      versions: Array.isArray(versions) ? versions.map(Number) : [],
      family: String(family ?? ''),
      description: String(description ?? ''),
      state: state === 'ready' || state === 'loading' ? state : 'unavailable',
      reason: String(reason ?? ''),
      operations: Array.isArray(operations) ? operations.map(String) : [],
    };
  });
}

/**
 * A model on a server. The version is settled here: calls go to that one even when a newer is published.
 * Throws MODEL_NOT_FOUND, ASSET_UNREACHABLE, and what the server says.
 */
export async function connect(url: string | URL, options: ConnectOptions): Promise<RemoteGenerator> {
  const base = baseUrl(url);
  const http = new HttpClient(base, options);
  const name = `v1/models/${encodeURIComponent(options.model)}`;
  const path = options.version === undefined ? name : `${name}/versions/${options.version}`;
  const answer = fieldsOf(await http.get(path, options.signal));
  const manifest: Manifest = parseManifest(answer.manifest);
  const bundlePath = String(answer.bundlePath || `bundles/${manifest.name}/${manifest.version}/`);
  const bundleUrl = new URL(bundlePath.replace(/^\//, ''), base);
  return new RemoteGenerator(manifest, baseUrl(bundleUrl).href, http, `${name}/versions/${manifest.version}`);
}
