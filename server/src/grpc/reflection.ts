// gRPC server reflection (v1 and v1alpha), so that grpcurl and its like need no .proto files.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';

/** Made from the .proto files by `npm run generate`. */
const descriptors = createRequire(import.meta.url).resolve('@genserve/proto/services.binpb');

/** @param services full names; others that the descriptors hold are not told of. */
export function reflection(services: readonly string[]): ReflectionService {
  return new ReflectionService(loadFileDescriptorSetFromBuffer(readFileSync(descriptors)), { services: [...services] });
}
