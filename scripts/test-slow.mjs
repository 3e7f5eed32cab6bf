// `npm run test:slow [name]`: the criteria at full size, one at a time. Each writes docs/results/<name>.json.
import { readdirSync } from 'node:fs';
import { build, debian, fail, install, root, run, testPackages } from './setup.mjs';

install();
debian(testPackages);
build();
const names = readdirSync(`${root}tests/slow`)
  .filter(file => file.endsWith('.test.ts'))
  .map(file => file.slice(0, -'.test.ts'.length));
const asked = process.argv.slice(2);
for (const name of asked)
  if (!names.includes(name)) fail(`There is no slow test "${name}". There are: ${names.join(', ')}.`);
for (const name of asked.length > 0 ? asked : names)
  run('npx', ['vitest', 'run', '--config', 'vitest.slow.config.ts', `tests/slow/${name}.test.ts`]);
