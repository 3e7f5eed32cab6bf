// inference.GRPCInferenceService: the Open Inference Protocol v2 over gRPC, with Triton's extensions.
import type { inference } from '@genserve/proto/wire';
import type { Entrance } from '../entrance.js';
import { infer } from '../inference/infer.js';
import { configurationOf, findEntry, metadataOf, serverMetadata } from '../inference/models.js';
import { loadModel, repositoryIndex, unloadModel } from '../inference/repository.js';
import { statisticsOf } from '../inference/statistics.js';
import type { Readiness } from '../readiness.js';
import type { RequestScope } from '../request-scope.js';
import type { Services } from '../verbs/verb.js';
import { unary } from './calls.js';
import { readParameters, readRequest, writeAnswer } from './inference-messages.js';
import { inferStream } from './inference-stream.js';

/** @param open lets everybody ask whether the server lives. */
export function inferenceHandlers(
  entrance: Entrance,
  open: Entrance,
  readiness: Readiness,
): inference.GRPCInferenceServiceServer {
  const answer = async (request: inference.ModelInferRequest, scope: RequestScope, services: Services) =>
    writeAnswer(await infer(readRequest(request), services, scope));
  return {
    serverLive: unary(open, async () => ({ live: true })),
    serverReady: unary(open, async () => ({ ready: readiness.ready })),
    serverMetadata: unary(entrance, async () => serverMetadata),
    modelReady: unary(entrance, async ({ name, version }, _scope, { repository }) => ({
      ready: findEntry(repository, name, version).state === 'ready',
    })),
    modelMetadata: unary(entrance, async ({ name, version }, _scope, { repository }) =>
      metadataOf(repository, name, version),
    ),
    modelConfig: unary(entrance, async ({ name, version }, _scope, { repository, limits }) => ({
      config: configurationOf(repository, name, version, limits.maxCount),
    })),
    modelInfer: unary(entrance, answer),
    modelStreamInfer: inferStream(entrance, answer),
    modelStatistics: unary(entrance, async ({ name, version }, _scope, services) => ({
      modelStats: statisticsOf(services, name, version),
    })),
    repositoryIndex: unary(entrance, async (request, _scope, { repository }) => repositoryIndex(repository, request)),
    repositoryModelLoad: unary(entrance, async (request, scope, services) => {
      await loadModel(services, { ...request, parameters: readParameters(request.parameters) }, scope);
      return {};
    }),
    repositoryModelUnload: unary(entrance, async (request, scope, services) => {
      await unloadModel(services, { ...request, parameters: readParameters(request.parameters) }, scope);
      return {};
    }),
  };
}
