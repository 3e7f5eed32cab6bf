// The routes that carry the load, POST of verbs and of `infer`, are found and answered without Express, whose layers cost
// several times what the server itself does for a small request. All others are Express's.
import type { IncomingMessage } from 'node:http';
import { invalid } from '@genserve/runtime';
import { callInfer } from './inference-routes.js';
import type { Answer } from './scope.js';
import { callVerb } from './verb-routes.js';

export type Route = (request: IncomingMessage, response: Answer) => Promise<void>;

const verbPath = /^\/v1\/models\/(?:([^/]+)\/versions\/)?([^/]+)\/?$/i;
const inferPath = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?\/infer\/?$/i;

/** Undefined for what Express answers. */
export function findDirect({ method, url = '' }: IncomingMessage): Route | undefined {
  if (method !== 'POST') return undefined;
  const path = pathOf(url);
  const verb = verbPath.exec(path);
  if (verb !== null) {
    const [, model, target = ''] = verb;
    return async (request, response) =>
      callVerb(model === undefined ? undefined : decoded(model), decoded(target), request, response);
  }
  const infer = inferPath.exec(path);
  if (infer === null) return undefined;
  const [, model = '', version = ''] = infer;
  return async (request, response) => {
    // A name of few for those who watch: as Express would write its route.
    response.locals.method = 'POST /v2/models/:model/infer';
    await callInfer(decoded(model), decoded(version), request, response);
  };
}

/** Without its query. Proxies may send the whole URL. */
function pathOf(url: string): string {
  if (!url.startsWith('/')) return URL.canParse(url) ? new URL(url).pathname : '';
  const mark = url.indexOf('?');
  return mark < 0 ? url : url.slice(0, mark);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalid('path', `"${part}" cannot be decoded`);
  }
}
