// The model repository extension over HTTP: POST /v2/repository/index, /v2/repository/models/{model}/{load | unload}.
import type { IncomingMessage } from 'node:http';
import { Router } from 'express';
import { z } from 'zod';
import { loadModel, repositoryIndex, unloadModel } from '../inference/repository.js';
import { validateJson } from '../verbs/validate.js';
import type { Services } from '../verbs/verb.js';
import { parseJson, readBody } from './body.js';
import { notAllowed } from './verb-routes.js';

const indexSchema = z.looseObject({ ready: z.boolean().optional() });
const changeSchema = z.looseObject({ parameters: z.record(z.string(), z.unknown()).optional() });

export function repositoryRouter({ repository, limits }: Services): Router {
  const read = async <Body>(request: IncomingMessage, schema: z.ZodType<Body>): Promise<Body> => {
    const json = parseJson(await readBody(request, limits.maxBodyBytes));
    validateJson(schema, json);
    return json as Body; // just checked
  };
  const router = Router();
  const root = '/v2/repository{/:repository}';
  router
    .route(`${root}/index`)
    .post(async (request, response) => {
      const { ready = false } = await read(request, indexSchema);
      const repositoryName = request.params.repository ?? '';
      response.json(repositoryIndex(repository, { repositoryName, ready }).models);
    })
    .all(notAllowed('POST'));
  for (const [verb, change] of Object.entries({ load: loadModel, unload: unloadModel })) {
    router
      .route(`${root}/models/:model/${verb}`)
      .post(async (request, response) => {
        const { repository: repositoryName = '', model: modelName } = request.params;
        const { parameters = {} } = await read(request, changeSchema);
        await change(repository, { repositoryName, modelName, parameters });
        response.json({});
      })
      .all(notAllowed('POST'));
  }
  return router;
}
