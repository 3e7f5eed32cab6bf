// Reflection, as grpcurl asks for it: the services, and the file of a symbol, in both versions of the protocol.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Serving, serve } from '../../fixtures/serving.js';

const protos = join(dirname(createRequire(import.meta.url).resolve('@grpc/reflection')), '../proto/grpc/reflection');

let serving: Serving;
beforeAll(async () => {
  serving = await serve();
});
afterAll(() => serving.close());

interface Reply {
  readonly listServicesResponse?: { service: { name: string }[] };
  readonly fileDescriptorResponse?: { fileDescriptorProto: Buffer[] };
  readonly errorResponse?: { errorCode: number };
}

/** The first reply to one question. */
function ask(version: 'v1' | 'v1alpha', question: object): Promise<Reply> {
  const definition = loadPackageDefinition(loadSync(join(protos, version, 'reflection.proto')));
  const versions = (
    definition.grpc as never as { reflection: Record<string, { ServerReflection: ServiceClientConstructor }> }
  ).reflection; // what the file declares
  const Client = versions[version]!.ServerReflection;
  const client = new Client(`127.0.0.1:${serving.server.grpcPort}`, credentials.createInsecure());
  return new Promise((resolve, reject) => {
    const call = client.serverReflectionInfo!();
    call.on('data', (reply: Reply) => {
      call.end();
      client.close();
      resolve(reply);
    });
    call.on('error', reject);
    call.write(question);
  });
}

test.each(['v1', 'v1alpha'] as const)(
  '%s lists the services and gives the files that a symbol needs',
  async version => {
    const { listServicesResponse } = await ask(version, { listServices: '' });
    const names = listServicesResponse?.service.map(({ name }) => name).sort();
    expect(names).toEqual(
      expect.arrayContaining([
        'genserve.v1.GeneratorService',
        'grpc.health.v1.Health',
        'inference.GRPCInferenceService',
      ]),
    );
    const symbol = { fileContainingSymbol: 'genserve.v1.GeneratorService.Sample' };
    const files = (await ask(version, symbol)).fileDescriptorResponse?.fileDescriptorProto ?? [];
    expect(Buffer.concat(files).includes('SampleRequest')).toBe(true);
    expect((await ask(version, { fileContainingSymbol: 'no.such.Symbol' })).errorResponse?.errorCode).toBe(5);
  },
);
