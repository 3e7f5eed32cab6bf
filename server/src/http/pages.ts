// What `/` serves: the playground where its folder is given, else a plain page of example calls; and at /docs the page
// that tries the calls of /openapi.json.
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
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

/** Commands that work as they stand, for the first model that is ready. */
export function exampleCalls(origin: string, repository: Models): string {
  const ready = repository.names().find(name => repository.entry(name, 0).state === 'ready');
  const model = `${origin}/v1/models/${ready ?? '<model>'}`;
  return [
    'genserve is running. Open it in a browser, or try:',
    '',
    `page        ${origin}/`,
    `models      curl ${origin}/v1/models`,
    `samples     curl -X POST -H 'Accept: image/png' '${model}:sample?count=16&seed=1' -o samples.png`,
    `numbers     curl -X POST ${model}:sample -H 'Content-Type: application/json' -d '{"count": 2, "seed": 1}'`,
    `anomaly     curl -X POST ${model}:anomaly -H 'Content-Type: image/png' --data-binary @docs/digit.png`,
    `likelihood  curl -X POST '${model}:likelihood?draws=100' -H 'Content-Type: image/png' --data-binary @docs/digit.png`,
    `document    ${origin}/docs/`,
    '',
  ].join('\n');
}
