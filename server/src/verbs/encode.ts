// Encode: data rows to latent codes by port name.
import { generator } from '@genserve/proto/wire';
import { namingFields } from './fields.js';
import { readInputs } from './inputs.js';
import { requests, responses } from './messages.js';
import { findTarget } from './target.js';
import { writeTensor } from './tensors.js';
import { type CallContext, once, type Verb } from './verb.js';

export const encode: Verb<generator.EncodeRequest, generator.EncodeResponse> = {
  name: 'Encode',
  summary: 'The latent codes of data.',
  request: generator.EncodeRequest,
  response: generator.EncodeResponse,
  requestSchema: requests.EncodeRequest,
  responseSchema: responses.EncodeResponse,
  answer: (request, context) => once(encodeRows(request, context)),
};

async function encodeRows(request: generator.EncodeRequest, context: CallContext): Promise<generator.EncodeResponse> {
  const { model, generator: served, identity } = findTarget(request, context);
  const { data, field } = await readInputs(request.inputs, model.manifest, context.services.limits);
  const { seed } = request;
  const latents = await namingFields({ data: field }, () => served.encode(data, { seed, signal: context.signal }));
  const entries = Object.entries(latents).map(([name, tensor]) => [name, writeTensor(tensor)]);
  return { ...identity, latents: Object.fromEntries(entries) };
}
