// The model repository extension over HTTP: POST /v2/repository/index, /v2/repository/models/{model}/{load | unload}.
import { GenserveError } from '@genserve/runtime';
import { type Request, type Response, Router } from 'express';
import { z } from 'zod';
import { loadModel, repositoryIndex, unloadModel } from '../inference/repository.js';
import { validateJson } from '../verbs/validate.js';
import { parseJson, readBody } from './body.js';
import { scopeOf, servicesOf } from './scope.js';
import { notAllowed } from './verb-routes.js';

const indexSchema = z.looseObject({ ready: z.boolean().optional() });
const changeSchema = z.looseObject({ parameters: z.record(z.string(), z.unknown()).optional() });

export function repositoryRouter(): Router {
  const router = Router();
  const root = '/v2/repository{/:repository}';
  router
    .route(`${root}/index`)
    .post(async (request, response) => {
      const { ready = false } = await read(request, response, indexSchema);
      const repositoryName = request.params.repository ?? '';
      response.json(repositoryIndex(servicesOf(response).repository, { repositoryName, ready }).models);
    })
    .all(notAllowed('POST'));
  for (const [verb, work] of Object.entries({ load: loadModel, unload: unloadModel })) {
    router
      .route(`${root}/models/:model/${verb}`)
      .post(async (request, response) => {
        refuseOtherSites(request);
        const { repository: repositoryName = '', model: modelName } = request.params;
        const { parameters = {} } = await read(request, response, changeSchema);
        const change = { repositoryName, modelName, parameters };
        await work(servicesOf(response), change, scopeOf(request, response));
        response.json({});
      })
      .all(notAllowed('POST'));
  }
  return router;
}

async function read<Body>(request: Request<object>, response: Response, schema: z.ZodType<Body>): Promise<Body> {
  const json = parseJson(await readBody(request, servicesOf(response).limits.maxBodyBytes));
  validateJson(schema, json);
  return json as Body; // just checked
}

/** A page of another site must not change what is served, though its reader's browser can reach this server. */
function refuseOtherSites(request: Request<object>): void {
  if (request.get('Sec-Fetch-Site') !== 'cross-site') return;
  throw new GenserveError('PERMISSION_DENIED', 'models are not loaded or unloaded by pages of other sites');
}
