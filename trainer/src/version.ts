// Versions of what makes runs and bundles.
import { createRequire } from 'node:module';

export function versions(): Record<string, string> {
  const require = createRequire(import.meta.url);
  // Every package.json has a version.
  const version = (path: string) => (require(path) as { version: string }).version;
  return {
    genserve: version('../package.json'),
    onnxruntime: version('onnxruntime-node/package.json'),
    tensorflowjs: version('@tensorflow/tfjs/package.json'),
    node: process.versions.node,
  };
}
