// What `/` serves: the playground where its folder is given, else a plain page of example calls; and at /docs the page
// that tries the calls of /openapi.json.
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type { Manifest } from '@genserve/runtime';
import express, { type RequestHandler, Router } from 'express';
import expressStaticGzip from 'express-static-gzip';
import type { Models } from '../access/restricted-repository.js';

type HeaderHolder = { setHeader(name: string, value: string): unknown };

export function pages(playground: string | undefined, repository: Models): Router {
  const router = Router();
  router.use('/docs', documentPage());
  // Files under assets/ bear a hash of their content in their name. The build leaves a .br beside those worth it.
  if (playground !== undefined) {
    const setHeaders = (response: HeaderHolder, path: string): void => {
      const hashed = /[/\\]assets[/\\]/.test(path);
      response.setHeader('Cache-Control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    };
    const serveStatic = { setHeaders, cacheControl: false };
    router.use(expressStaticGzip(playground, { enableBrotli: true, orderPreference: ['br'], serveStatic }));
  }
  router.get('/', examplePage(repository));
  return router;
}

/** Swagger UI, from its package: no other server takes part. */
function documentPage(): Router {
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  const router = Router();
  // The library's own starts with an example of another service.
  router.get('/swagger-initializer.js', (_request, response) => {
    response.type('text/javascript').send(initializer);
  });
  router.use(express.static(folder));
  return router;
}

const initializer = `window.ui = SwaggerUIBundle({
  url: '../openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
  layout: 'BaseLayout',
});
`;
function examplePage(repository: Models): RequestHandler {
  return (request, response) => {
    response.type('text/plain').send(exampleCalls(`${request.protocol}://${request.get('host')}`, repository));
  };
}

/** Commands that work as they stand, for the first of the ready models for which most of them do. */
export function exampleCalls(origin: string, repository: Models): string {
  const ready = repository.names().flatMap(name => {
    const { name: model, state, model: served } = repository.entry(name, 0);
    return state === 'ready' && served ? [{ model, calls: callsOf(served.manifest) }] : [];
  });
  const most = Math.max(0, ...ready.map(({ calls }) => calls.length));
  const { model = '<model>', calls = examples } = ready.find(({ calls }) => calls.length === most) ?? {};
  return [
    'genserve is running. Open it in a browser, or try:',
    '',
    line('page', `${origin}/`),
    line('models', `curl ${origin}/v1/models`),
    ...calls.map(({ name, command }) => line(name, command(`${origin}/v1/models/${model}`))),
    line('document', `${origin}/docs/`),
    '',
  ].join('\n');
}

const line = (name: string, text: string) => `${name.padEnd(11)} ${text}`;

interface Example {
  readonly name: string;
  works(manifest: Manifest): boolean;
  command(model: string): string;
}

const picture = "-H 'Content-Type: image/png' --data-binary @docs/digit.png";
const has = (operation: string) => (manifest: Manifest) => manifest.operations.some(({ name }) => name === operation);

const examples: readonly Example[] = [
  {
    name: 'samples',
    works: manifest => has('sample')(manifest) && manifest.domain?.image !== undefined,
    command: model => `curl -X POST -H 'Accept: image/png' '${model}:sample?count=16&seed=1' -o samples.png`,
  },
  {
    name: 'numbers',
    works: has('sample'),
    command: model => `curl -X POST ${model}:sample -H 'Content-Type: application/json' -d '{"count": 2, "seed": 1}'`,
  },
  {
    name: 'anomaly',
    works: manifest => manifest.scores.length > 0 && isOfDigitSize(manifest),
    command: model => `curl -X POST ${model}:anomaly ${picture}`,
  },
  {
    name: 'likelihood',
    works: manifest => has('log_prob')(manifest) && isOfDigitSize(manifest),
    command: model => `curl -X POST '${model}:likelihood?draws=100' ${picture}`,
  },
];

const callsOf = (manifest: Manifest) => examples.filter(({ works }) => works(manifest));

/** Whether the picture of the examples fits. */
function isOfDigitSize({ domain }: Manifest): boolean {
  const { height, width, channels } = domain?.image ?? {};
  return height === 28 && width === 28 && channels === 1;
}
