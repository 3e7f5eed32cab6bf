// Samples in the format that the caller asked for.
import { generator } from '@genserve/proto/wire';
import { type Domain, invalid, type Tensor } from '@genserve/runtime';
import { encodeEach } from '../images/encode.js';
import { writeLevels, writeTensor } from './tensors.js';

export interface FormattedSamples {
  readonly samples: generator.Tensor | undefined;
  readonly images: Buffer[];
}

/** Before any work: pictures and levels are for images alone. */
export function checkFormat(format: generator.OutputFormat, domain: Domain | undefined): void {
  if (domain?.image !== undefined || isPlain(format)) return;
  throw invalid('format', `${format} is for models of images; this one gives OUTPUT_FORMAT_FLOAT32`);
}

export async function formatSamples(data: Tensor, format: generator.OutputFormat): Promise<FormattedSamples> {
  if (isPlain(format)) return { samples: writeTensor(data), images: [] };
  if (format === generator.OutputFormat.UINT8) return { samples: writeLevels(data), images: [] };
  return { samples: undefined, images: await encodeEach(data) };
}

function isPlain(format: generator.OutputFormat): boolean {
  return format === generator.OutputFormat.UNSPECIFIED || format === generator.OutputFormat.FLOAT32;
}

/** The parts of a stream as one response. */
export function joinSampleParts(parts: readonly generator.SampleResponse[]): generator.SampleResponse {
  const [first] = parts;
  if (first === undefined) return generator.SampleResponse.create();
  const tensors = parts.flatMap(part => part.samples ?? []);
  return {
    ...first,
    samples: first.samples && joinTensors(tensors),
    images: parts.flatMap(part => part.images),
    labels: parts.flatMap(part => part.labels),
  };
}

function joinTensors(tensors: readonly generator.Tensor[]): generator.Tensor {
  const [first] = tensors;
  if (first === undefined || tensors.length === 1) return first ?? generator.Tensor.create();
  const rows = tensors.reduce((sum, tensor) => sum + (tensor.shape[0] ?? 0), 0);
  const data = Buffer.concat(tensors.map(tensor => tensor.data));
  return { ...first, shape: [rows, ...first.shape.slice(1)], data };
}
