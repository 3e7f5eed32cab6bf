// ListModels: one line per name, with the state of the version that answers by default.
import { generator } from '@genserve/proto/wire';
import type { Models } from '../access/restricted-repository.js';
import { requests, responses } from './messages.js';
import { once, type Verb } from './verb.js';

export const listModels: Verb<generator.ListModelsRequest, generator.ListModelsResponse> = {
  name: 'ListModels',
  summary: 'All models, ready or not, and why not.',
  request: generator.ListModelsRequest,
  response: generator.ListModelsResponse,
  requestSchema: requests.ListModelsRequest,
  responseSchema: responses.ListModelsResponse,
  answer: (_request, { services: { repository } }) =>
    once(Promise.resolve({ models: repository.names().map(name => summaryOf(repository, name)) })),
};

function summaryOf(repository: Models, name: string): generator.ModelSummary {
  const { state, reason, model } = repository.entry(name, 0);
  const manifest = model?.manifest;
  return {
    name,
    versions: repository.versions(name).map(entry => entry.version),
    family: manifest?.family?.name ?? '',
    description: manifest?.description ?? '',
    state,
    reason,
    operations: manifest?.operations.map(operation => operation.name) ?? [],
  };
}
