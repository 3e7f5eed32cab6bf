import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { bundleFolder } from './bundle.js';
import { temporaryFolder } from './testing/genserve.js';

const models = temporaryFolder();
afterAll(() => rmSync(models, { recursive: true }));

function add(path: string): string {
  mkdirSync(join(models, path), { recursive: true });
  writeFileSync(join(models, path, 'manifest.json'), '{}');
  return join(models, path);
}

it('is the folder itself, its greatest version, or that of a name in the model repository', () => {
  const [second, tenth] = [add('digits/2'), add('digits/10')];
  expect(bundleFolder(second)).toBe(second);
  expect(bundleFolder(join(models, 'digits'))).toBe(tenth);
  expect(bundleFolder('digits', models)).toBe(tenth);
  expect(bundleFolder('digits/2', models)).toBe(second);
});

it('is none where the name is that of a file or of nothing: MODEL_NOT_FOUND with what there is', () => {
  add('digits/1');
  const manifest = join(models, 'digits/1/manifest.json');
  for (const reference of [manifest, 'letters'])
    expect(() => bundleFolder(reference, models)).toThrow(
      expect.objectContaining({ reason: 'MODEL_NOT_FOUND', message: expect.stringContaining('has digits') }),
    );
});
