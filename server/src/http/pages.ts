// What `/` serves: the playground where its folder is given, else a plain page of example calls.
import express, { type RequestHandler, Router } from 'express';
import type { Repository } from '../repository/repository.js';

export function pages(playground: string | undefined, repository: Repository): Router {
  const router = Router();
  // Files under assets/ bear a hash of their content in their name.
  if (playground !== undefined) {
    const setHeaders = (response: { setHeader(name: string, value: string): unknown }, path: string): void => {
      const hashed = /[/\\]assets[/\\]/.test(path);
      response.setHeader('Cache-Control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    };
    router.use(express.static(playground, { setHeaders, cacheControl: false }));
  }
  router.get('/', examplePage(repository));
  return router;
}

function examplePage(repository: Repository): RequestHandler {
  return (request, response) => {
    response.type('text/plain').send(exampleCalls(`${request.protocol}://${request.get('host')}`, repository));
  };
}

/** Commands that work as they stand, for the first model that is ready. */
export function exampleCalls(origin: string, repository: Repository): string {
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
    `document    curl ${origin}/openapi.json`,
    '',
  ].join('\n');
}
