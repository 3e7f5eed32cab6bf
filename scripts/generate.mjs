// `npm run generate`: makes proto/src/generated from proto/**/*.proto with buf and ts-proto, and the descriptors that
// gRPC reflection serves.
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { root, run } from './setup.mjs';

/** Writes `src/generated` below `folder`. */
export function generate(folder) {
  rmSync(`${folder}/src/generated`, { recursive: true, force: true });
  const buf = (template, ...args) =>
    run('npx', ['buf', 'generate', '--template', template, '--output', folder, ...args], { cwd: `${root}proto` });
  buf('buf.gen.wire.yaml');
  const descriptors = `${folder}/src/generated/services.binpb`;
  run('npx', ['buf', 'build', '--as-file-descriptor-set', '--exclude-source-info', '--output', descriptors], {
    cwd: `${root}proto`,
  });
  buf('buf.gen.manifest.yaml', '--path', 'genserve/bundle/v1/manifest.proto');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) generate(`${root}proto`);
