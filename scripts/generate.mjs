// Makes proto/src/generated from proto/**/*.proto with buf and ts-proto. `npm run check` runs it and compares.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const proto = fileURLToPath(new URL('../proto', import.meta.url));
const buf = fileURLToPath(new URL('../node_modules/.bin/buf', import.meta.url));
const generate = (template, paths = []) =>
  execFileSync(buf, ['generate', '--template', template, ...paths.flatMap(path => ['--path', path])], {
    cwd: proto,
    stdio: 'inherit',
  });

rmSync(`${proto}/src/generated`, { recursive: true, force: true });
generate('buf.gen.wire.yaml');
generate('buf.gen.manifest.yaml', ['genserve/bundle/v1/manifest.proto']);
