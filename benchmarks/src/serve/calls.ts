// The requests that are measured, the same over both protocols.
import { generator } from '@genserve/proto/wire';
import { encodeBody, HEAD_LENGTH_HEADER, type Tensor } from '@genserve/runtime';
import type { Call } from './plan.js';

export type Transport = 'http' | 'grpc';
export const transports: readonly Transport[] = ['http', 'grpc'];
export type Ports = Readonly<Record<Transport, number>>;

const service = '/genserve.v1.GeneratorService';
const binary = { Accept: 'application/octet-stream' };

/** `count` samples as raw float32. */
export function sampleCall(transport: Transport, ports: Ports, model: string, count: number): Call {
  const port = ports[transport];
  if (transport === 'grpc') {
    const message = generator.SampleRequest.fromPartial({ model, count, seed: 1 });
    const body = Buffer.from(generator.SampleRequest.encode(message).finish()).toString('base64');
    return { transport, port, path: `${service}/Sample`, headers: {}, streams: true, body };
  }
  const body = Buffer.from(JSON.stringify({ count, seed: 1 })).toString('base64');
  const headers = { ...binary, 'Content-Type': 'application/json' };
  return { transport, port, path: `/v1/models/${model}:sample`, headers, streams: false, body };
}

/** These rows through the latent space and back, raw float32 both ways. */
export function reconstructCall(transport: Transport, ports: Ports, model: string, rows: Tensor): Call {
  const port = ports[transport];
  const { dtype, shape, data } = rows;
  if (transport === 'grpc') {
    const tensor = { dtype, shape: [...shape], data: Buffer.from(data.buffer), values: [] };
    const message = generator.ReconstructRequest.fromPartial({ model, seed: 1, inputs: { tensor } });
    const body = Buffer.from(generator.ReconstructRequest.encode(message).finish()).toString('base64');
    return { transport, port, path: `${service}/Reconstruct`, headers: {}, streams: false, body };
  }
  const { headLength, bytes } = encodeBody({ seed: 1, inputs: { tensor: rows } });
  const headers = { ...binary, 'Content-Type': binary.Accept, [HEAD_LENGTH_HEADER]: String(headLength) };
  const body = Buffer.from(bytes).toString('base64');
  return { transport, port, path: `/v1/models/${model}:reconstruct`, headers, streams: false, body };
}
