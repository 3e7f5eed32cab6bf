// inference.GRPCInferenceService: the Open Inference Protocol v2 over gRPC, with Triton's extensions.
import type { inference } from '@genserve/proto/wire';
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

export function inferenceHandlers(services: Services, readiness: Readiness): inference.GRPCInferenceServiceServer {
  const { repository, limits } = services;
  const answer = async (request: inference.ModelInferRequest, scope: RequestScope) =>
    writeAnswer(await infer(readRequest(request), services, scope));
  return {
    serverLive: unary(async () => ({ live: true })),
    serverReady: unary(async () => ({ ready: readiness.ready })),
    serverMetadata: unary(async () => serverMetadata),
    modelReady: unary(async ({ name, version }) => ({ ready: findEntry(repository, name, version).state === 'ready' })),
    modelMetadata: unary(async ({ name, version }) => metadataOf(repository, name, version)),
    modelConfig: unary(async ({ name, version }) => ({
      config: configurationOf(repository, name, version, limits.maxCount),
    })),
    modelInfer: unary(answer),
    modelStreamInfer: inferStream(answer),
    modelStatistics: unary(async ({ name, version }) => ({ modelStats: statisticsOf(services, name, version) })),
    repositoryIndex: unary(async request => repositoryIndex(repository, request)),
    repositoryModelLoad: unary(async request => {
      await loadModel(repository, { ...request, parameters: readParameters(request.parameters) });
      return {};
    }),
    repositoryModelUnload: unary(async request => {
      await unloadModel(repository, { ...request, parameters: readParameters(request.parameters) });
      return {};
    }),
  };
}
