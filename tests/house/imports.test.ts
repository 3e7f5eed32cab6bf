// The arrows of the design, proto <- runtime <- {trainer, server, sdk}, are held by the linter: of the probes below,
// exactly the forbidden ones must be reported. They are linted in a temporary folder with the repository's own rules.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, expect, it } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;
const folder = mkdtempSync(`${tmpdir()}/genserve-imports-`);
afterAll(() => rmSync(folder, { recursive: true }));

const forbidden = [
  ['proto', '@genserve/runtime'],
  ['runtime', '@genserve/trainer'],
  ['runtime', '@genserve/proto/wire'],
  ['runtime', 'node:fs'],
  ['runtime', 'onnxruntime-web'],
  ['trainer', '@genserve/server'],
  ['trainer', '@genserve/sdk'],
  ['trainer', '@tensorflow/tfjs-core'],
  ['server', '@genserve/trainer'],
  ['server', '@genserve/runtime/dist/noise.js'],
  ['sdk', '@genserve/server'],
  ['sdk', '@genserve/proto/wire'],
  ['sdk', 'node:fs'],
] as const;
const allowed = [
  ['runtime', '@genserve/proto/manifest'],
  ['trainer', '@genserve/runtime'],
  ['trainer', '@tensorflow/tfjs'],
  ['server', '@genserve/proto/wire'],
  ['sdk', '@genserve/runtime'],
  ['cli', '@genserve/server'],
] as const;

it('reports every import against the arrows, and no other', () => {
  const { vcs: _, ...rules } = JSON.parse(readFileSync(`${root}biome.json`, 'utf8'));
  writeFileSync(`${folder}/biome.json`, JSON.stringify(rules));
  const probes = [...forbidden, ...allowed].map(([where, specifier], index) => {
    mkdirSync(`${folder}/${where}/src`, { recursive: true });
    const file = `${where}/src/probe${index}.ts`;
    writeFileSync(`${folder}/${file}`, `export { x } from '${specifier}';\n`);
    return { file, specifier };
  });
  const arguments_ = ['lint', '--reporter=json', '--max-diagnostics=none', '.'];
  const { stdout } = spawnSync(`${root}node_modules/.bin/biome`, arguments_, { cwd: folder, encoding: 'utf8' });
  const rejected = probes.filter(({ file }) => stdout.includes(file)).map(({ file }) => file);
  expect(rejected).toEqual(probes.slice(0, forbidden.length).map(({ file }) => file));
});
