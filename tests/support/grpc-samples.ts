// The pictures of one gRPC call that streams samples, however many parts they come in.
import { generator as wire } from '@genserve/proto/wire';
import { credentials } from '@grpc/grpc-js';
import type { ServedModels } from './serve.js';

/** All values of the answer, in order. `ask` makes the call. */
export async function samplesOverGrpc(
  { grpcAddress }: Pick<ServedModels, 'grpcAddress'>,
  ask: (client: wire.GeneratorServiceClient) => AsyncIterable<wire.SampleResponse>,
): Promise<Float32Array> {
  const client = new wire.GeneratorServiceClient(grpcAddress, credentials.createInsecure());
  const values: number[] = [];
  for await (const part of ask(client)) {
    const bytes = Buffer.from(part.samples!.data);
    for (let at = 0; at < bytes.length; at += 4) values.push(bytes.readFloatLE(at));
  }
  client.close();
  return Float32Array.from(values);
}
