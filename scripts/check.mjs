// `npm run check`: format, lint, types (tests included), and that generated code is fresh.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { generate } from './generate.mjs';
import { fail, root, run } from './setup.mjs';

run('npx', ['biome', 'check', '--error-on-warnings', '.']);
run('npx', ['tsc', '-b']);
run('npx', ['tsc', '-p', 'tsconfig.tests.json']);

const fresh = mkdtempSync(`${tmpdir()}/genserve-generated-`);
try {
  generate(fresh);
  const { status } = spawnSync('diff', ['-r', `${fresh}/src/generated`, `${root}proto/src/generated`], {
    stdio: 'inherit',
  });
  if (status !== 0)
    fail('proto/src/generated is not what the .proto files give: run `npm run generate` and commit it.');
} finally {
  rmSync(fresh, { recursive: true });
}
