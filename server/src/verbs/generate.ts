// Generate: every conditional form of generation (contract, section 7): conditions, latents, interpolation, completion, translation.
import { generator } from '@genserve/proto/wire';
import { type DrawOptions, type Generator, invalid, type Manifest, type Samples } from '@genserve/runtime';
import type { Limits } from '../options.js';
import { readConditions, readLatents } from './conditions.js';
import { conditionFields, type FieldNames, namingFieldsOf } from './fields.js';
import { readInputs } from './inputs.js';
import { readCount } from './limits.js';
import { requests, responses } from './messages.js';
import { checkFormat, formatSamples, joinSampleParts } from './samples.js';
import { findTarget } from './target.js';
import { readTensor } from './tensors.js';
import { type CallContext, once, type Verb } from './verb.js';

export const generate: Verb<generator.GenerateRequest, generator.SampleResponse> = {
  name: 'Generate',
  summary: 'Generates from conditions, latent codes, an interpolation, a picture to complete or one to translate.',
  request: generator.GenerateRequest,
  response: generator.SampleResponse,
  requestSchema: requests.GenerateRequest,
  responseSchema: responses.SampleResponse,
  answer: generateParts,
  join: joinSampleParts,
};

const forms = ['conditions', 'latents', 'interpolation', 'completion', 'translation'] as const;

/** What each form needs to read its part of the request and to ask the model. */
interface FormCall {
  readonly request: generator.GenerateRequest;
  readonly served: Generator;
  readonly manifest: Manifest;
  readonly limits: Limits;
  readonly options: DrawOptions;
}

async function* generateParts(
  request: generator.GenerateRequest,
  context: CallContext,
): AsyncGenerator<generator.SampleResponse> {
  const { model, generator: served, identity } = findTarget(request, context);
  const { seed, firstIndex, temperature, truncation, format } = request;
  checkFormat(format, model.manifest.domain);
  const call: FormCall = {
    request,
    served,
    manifest: model.manifest,
    limits: context.services.limits,
    options: { seed, firstIndex, temperature, truncation, signal: context.signal },
  };
  for await (const part of partsOf(call)) {
    yield {
      ...identity,
      seed: part.seed,
      firstIndex: part.firstIndex,
      labels: [...(part.labels ?? [])],
      ...(await formatSamples(part.data, format)),
    };
  }
}

function partsOf(call: FormCall): AsyncIterable<Samples> {
  const given = forms.filter(form => call.request[form] !== undefined);
  const [form] = given;
  if (form === undefined || given.length > 1) {
    throw invalid('form', `must be exactly one of ${forms.join(', ')}; given were ${given.join(', ') || 'none'}`);
  }
  switch (form) {
    case 'conditions':
      return namingFieldsOf(conditionFields('conditions'), fromConditions(call));
    case 'latents':
      return namingFieldsOf(latentFields, once(fromLatents(call)));
    case 'interpolation':
      return namingFieldsOf(interpolationFields, once(interpolation(call)));
    case 'completion':
      return namingFieldsOf({ data: 'completion.image', mask: 'completion.mask' }, once(completion(call)));
    case 'translation':
      return namingFieldsOf(translationFields, once(translation(call)));
  }
}

const latentFields: FieldNames = { ...conditionFields('latents.conditions'), latents: 'latents.values' };
const interpolationFields: FieldNames = {
  from: 'interpolation.from.values',
  to: 'interpolation.to.values',
  steps: 'interpolation.steps',
};
const translationFields: FieldNames = {
  data: 'translation.image',
  style: 'translation.style',
  strength: 'translation.strength',
};

function fromConditions({ request, served, limits, options }: FormCall): AsyncIterable<Samples> {
  const count = readCount(request.count, limits);
  return served.sampleStream({ ...options, count, ...readConditions(request.conditions, 'conditions') });
}

async function fromLatents({ request, served, limits, options }: FormCall): Promise<Samples> {
  const latents = readLatents(request.latents, 'latents');
  for (const [name, { shape }] of Object.entries(latents)) {
    readCount(shape[0] ?? 0, limits, `latents.values.${name}.shape`);
  }
  const conditions = readConditions(request.latents?.conditions, 'latents.conditions');
  return served.decode(latents, { ...options, ...conditions });
}

async function interpolation({ request, served, limits, options }: FormCall): Promise<Samples> {
  const { from, to, steps = 0 } = request.interpolation ?? {};
  return served.interpolate(readLatents(from, 'interpolation.from'), readLatents(to, 'interpolation.to'), {
    steps: readCount(steps, limits, 'interpolation.steps'),
    signal: options.signal,
  });
}

async function completion({ request, served, manifest, limits, options }: FormCall): Promise<Samples> {
  const { image, mask } = request.completion ?? {};
  const { data } = await readInputs(image, manifest, limits, 'completion.image');
  if (mask === undefined) throw invalid('completion.mask', 'must be given');
  const known = readTensor(mask, 'completion.mask');
  const count = request.count === 0 ? undefined : readCount(request.count, limits);
  return served.complete(data, known, { ...options, count });
}

async function translation({ request, served, manifest, limits, options }: FormCall): Promise<Samples> {
  const { image, style, strength, backward = false } = request.translation ?? {};
  const { data } = await readInputs(image, manifest, limits, 'translation.image');
  const given = style && (await readInputs(style, manifest, limits, 'translation.style'));
  return served.translate(data, { ...options, style: given?.data, strength, backward });
}
