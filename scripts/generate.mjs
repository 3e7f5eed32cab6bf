// `npm run generate`: makes proto/src/generated from proto/**/*.proto with buf and ts-proto.
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { root, run } from './setup.mjs';

/** Writes `src/generated` below `folder`. */
export function generate(folder) {
  rmSync(`${folder}/src/generated`, { recursive: true, force: true });
  const buf = (template, ...args) =>
    run('npx', ['buf', 'generate', '--template', template, '--output', folder, ...args], { cwd: `${root}proto` });
  buf('buf.gen.wire.yaml');
  buf('buf.gen.manifest.yaml', '--path', 'genserve/bundle/v1/manifest.proto');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) generate(`${root}proto`);
