// Sample: draws from the model with its defaults, in parts in order of index.
import { generator } from '@genserve/proto/wire';
import { readCount } from './limits.js';
import { requests, responses } from './messages.js';
import { checkFormat, formatSamples, joinSampleParts } from './samples.js';
import { findTarget } from './target.js';
import type { CallContext, Verb } from './verb.js';

export const sample: Verb<generator.SampleRequest, generator.SampleResponse> = {
  name: 'Sample',
  summary: 'Draws from the model with its defaults.',
  request: generator.SampleRequest,
  response: generator.SampleResponse,
  requestSchema: requests.SampleRequest,
  responseSchema: responses.SampleResponse,
  answer: draw,
  join: joinSampleParts,
};

async function* draw(request: generator.SampleRequest, context: CallContext): AsyncGenerator<generator.SampleResponse> {
  const { model, generator: served, identity } = findTarget(request, context);
  const { seed, firstIndex, temperature, truncation, format } = request;
  checkFormat(format, model.manifest.domain);
  const count = readCount(request.count, context.services.limits);
  const { signal } = context;
  for await (const part of served.sampleStream({ count, seed, firstIndex, temperature, truncation, signal })) {
    yield {
      ...identity,
      seed: part.seed,
      firstIndex: part.firstIndex,
      labels: [...(part.labels ?? [])],
      ...(await formatSamples(part.data, format)),
    };
  }
}
