// Reconstruct: data rows through the latent space and back.
import { generator } from '@genserve/proto/wire';
import { namingFields } from './fields.js';
import { readInputs } from './inputs.js';
import { requests, responses } from './messages.js';
import { checkFormat, formatSamples } from './samples.js';
import { findTarget } from './target.js';
import { type CallContext, once, type Verb } from './verb.js';

export const reconstruct: Verb<generator.ReconstructRequest, generator.ReconstructResponse> = {
  name: 'Reconstruct',
  summary: 'Data through the latent space and back.',
  request: generator.ReconstructRequest,
  response: generator.ReconstructResponse,
  requestSchema: requests.ReconstructRequest,
  responseSchema: responses.ReconstructResponse,
  answer: (request, context) => once(reconstructRows(request, context)),
};

async function reconstructRows(
  request: generator.ReconstructRequest,
  context: CallContext,
): Promise<generator.ReconstructResponse> {
  const { model, generator: served, identity } = findTarget(request, context);
  const { seed, format } = request;
  checkFormat(format, model.manifest.domain);
  const { data, field } = await readInputs(request.inputs, model.manifest, context.services.limits);
  const rows = await namingFields({ data: field }, () => served.reconstruct(data, { seed, signal: context.signal }));
  return { ...identity, seed: rows.seed, ...(await formatSamples(rows.data, format)) };
}
