// The messages of genserve.v1 as JSON schemas: what HTTP accepts, and what /openapi.json says.
// A test holds their fields equal to those of the generated code.
import { z } from 'zod';
import { bool, bytes, double, doubles, int32, list, mapOf, message, string, uint64 } from './proto-json.js';

const formatPrefix = 'OUTPUT_FORMAT_';
const shortFormats = ['float32', 'uint8', 'png'];
const longFormats = ['UNSPECIFIED', ...shortFormats].map(name => formatPrefix + name.toUpperCase());
const formats = [...longFormats, ...shortFormats];
const outputFormat = () => z.enum(formats, { error: `expected one of ${formats.join(', ')}` });

/** The enum's own name for "png" and its like; anything else as it is. */
export function longFormat(format: unknown): unknown {
  return typeof format === 'string' && shortFormats.includes(format) ? formatPrefix + format.toUpperCase() : format;
}

export const tensor = message({
  dtype: string().meta({ examples: ['float32'] }),
  shape: list(int32()),
  data: bytes(),
  values: doubles(),
});

export const inputs = message({ tensor, images: list(bytes()), fit: string(), invert: bool() });

const conditions = message({ labels: list(int32()), vectors: tensor, attributes: tensor, texts: list(string()) });
const latents = message({ values: mapOf(tensor), conditions });

const target = { model: string(), version: int32() };
const draw = {
  ...target,
  count: int32(),
  seed: uint64(),
  firstIndex: uint64(),
  temperature: double(),
  truncation: double(),
  format: outputFormat(),
};

export const requests = {
  ListModelsRequest: message({}),
  GetModelRequest: message(target),
  SampleRequest: message(draw),
  GenerateRequest: message({
    ...draw,
    conditions,
    latents,
    interpolation: message({ from: latents, to: latents, steps: int32() }),
    completion: message({ image: inputs, mask: tensor }),
    translation: message({ image: inputs, style: inputs, strength: double(), backward: bool() }),
  }),
  ScoreLikelihoodRequest: message({
    ...target,
    inputs,
    draws: int32(),
    seed: uint64(),
    estimator: string(),
    conditions,
  }),
  ScoreAnomalyRequest: message({
    ...target,
    inputs,
    scores: list(string()),
    alpha: double(),
    map: bool(),
    draws: int32(),
    seed: uint64(),
    labels: list(int32()),
    correction: string(),
    drift: bool(),
  }),
  EncodeRequest: message({ ...target, inputs, seed: uint64() }),
  ReconstructRequest: message({ ...target, inputs, seed: uint64(), format: outputFormat() }),
};

const samples = { seed: uint64(), samples: tensor, images: list(bytes()), ...target };

export const responses = {
  ListModelsResponse: message({
    models: list(
      message({
        name: string(),
        versions: list(int32()),
        family: string(),
        description: string(),
        state: string(),
        reason: string(),
        operations: list(string()),
      }),
    ),
  }),
  GetModelResponse: message({
    manifest: z.looseObject({}).meta({ description: 'genserve.bundle.v1.Manifest, as in the bundle' }),
    state: string(),
    reason: string(),
    limits: message({ maxCount: int32(), maxBodyBytes: uint64(), maxImagePixels: uint64(), maxDraws: int32() }),
    bundlePath: string(),
  }),
  SampleResponse: message({ ...samples, firstIndex: uint64(), labels: list(int32()) }),
  ScoreLikelihoodResponse: message({
    likelihoods: list(message({ logProb: double(), bitsPerDim: double(), standardError: double() })),
    estimator: string(),
    draws: int32(),
    seed: uint64(),
    ...target,
  }),
  ScoreAnomalyResponse: message({
    results: list(
      message({
        scores: list(
          message({
            name: string(),
            value: double(),
            pValue: double(),
            decision: string(),
            recommended: bool(),
            unit: string(),
            adjustedPValue: double(),
          }),
        ),
        map: tensor,
        mapImage: bytes(),
      }),
    ),
    drifts: list(
      message({ score: string(), statistic: double(), pValue: double(), decision: string(), rows: int32() }),
    ),
    ...target,
  }),
  EncodeResponse: message({ latents: mapOf(tensor), ...target }),
  ReconstructResponse: message(samples),
};
