// GetModel: the manifest, the state and the limits of one version. Answers for a model that cannot be served as well.
import { generator, manifest as wireManifest } from '@genserve/proto/wire';
import { invalid } from '@genserve/runtime';
import { requests, responses } from './messages.js';
import { type CallContext, once, type Verb } from './verb.js';

export const getModel: Verb<generator.GetModelRequest, generator.GetModelResponse> = {
  name: 'GetModel',
  summary: 'One version of a model: manifest, state, limits.',
  request: generator.GetModelRequest,
  response: generator.GetModelResponse,
  requestSchema: requests.GetModelRequest,
  responseSchema: responses.GetModelResponse,
  answer: (request, context) => once(describe(request, context)),
};

async function describe(
  { model: name, version }: generator.GetModelRequest,
  { services: { repository, limits } }: CallContext,
): Promise<generator.GetModelResponse> {
  if (name === '') throw invalid('model', 'must be given');
  const entry = repository.entry(name, version);
  const { maxCount, maxBodyBytes, maxImagePixels, maxDraws } = limits;
  return {
    manifest: entry.model && wireManifest.Manifest.fromPartial(entry.model.manifest),
    state: entry.state,
    reason: entry.reason,
    limits: { maxCount, maxBodyBytes, maxImagePixels, maxDraws },
    bundlePath: `/bundles/${entry.name}/${entry.version}/`,
  };
}
