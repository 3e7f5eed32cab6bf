// Models come, change and go while the server runs: by request, or as their folder changes.
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ModelFolder, modelFolder } from '../../fixtures/models.js';
import { parseOptions, type ServerOptions } from '../options.js';
import { folderCatalogue } from './folder-catalogue.js';
import type { Loader } from './load-model.js';
import type { ServedModel } from './model.js';
import { chooseVersions } from './policy.js';
import { Repository } from './repository.js';

let models: ModelFolder;
beforeEach(async () => {
  models = await modelFolder();
});
afterEach(() => models.remove());

/** Executors that only remember. */
class Remembered implements Loader {
  readonly held: string[] = [];
  async prepare({ key }: ServedModel) {
    this.held.push(key.split('#')[0] ?? '');
  }
  async unload({ key }: ServedModel) {
    this.held.splice(this.held.indexOf(key.split('#')[0] ?? ''), 1);
  }
}

async function open(repository: NonNullable<ServerOptions['repository']>) {
  const loader = new Remembered();
  const opened = new Repository({
    ...parseOptions({ repository }).repository,
    catalogue: folderCatalogue(models.path),
    loader,
    onChange: () => {},
  });
  await opened.scan();
  await opened.loadAll();
  return { repository: opened, loader };
}

const states = (repository: Repository) =>
  Object.fromEntries(repository.index().map(({ name, version, state }) => [`${name}/${version}`, state]));

/** Requests that have ended let go of their model in a later turn. */
const turn = () => new Promise(resolve => setImmediate(resolve));

test.each([
  { policy: 'all', chosen: [7, 3, 1] },
  { policy: 'latest 2', chosen: [7, 3] },
  { policy: 'specific 1,3,5', chosen: [3, 1] },
])('the policy "$policy" chooses $chosen', ({ policy, chosen }) => {
  expect(chooseVersions(policy, [7, 3, 1])).toEqual(chosen);
});

test('explicit control loads what it is told, at the start and by request', async () => {
  for (const version of [1, 2]) await models.add('tiny', 'a', version);
  await models.add('tiny', 'b');
  const { repository, loader } = await open({ control: 'explicit', load: ['a'], versions: 'latest 1' });
  expect(states(repository)).toEqual({ 'a/2': 'ready', 'a/1': 'unavailable', 'b/1': 'unavailable' });
  expect(() => repository.model('b', 0)).toThrow(/cannot be served: NOT_LOADED/);
  await repository.load('b');
  await repository.load('a', 1);
  await models.add('tiny', 'c');
  await repository.load('c');
  expect(loader.held).toEqual(['a/2', 'b/1', 'a/1', 'c/1']);
  await repository.unload('a');
  await turn();
  expect(states(repository)).toMatchObject({ 'a/2': 'unavailable', 'a/1': 'unavailable', 'b/1': 'ready' });
  expect(loader.held).toEqual(['b/1', 'c/1']);
  await expect(repository.load('d')).rejects.toMatchObject({ reason: 'MODEL_NOT_FOUND' });
});

test('without explicit control, loading by request is refused', async () => {
  await models.add('tiny');
  const { repository } = await open({});
  await expect(repository.load('tiny')).rejects.toMatchObject({ reason: 'METHOD_NOT_ALLOWED' });
  await expect(repository.unload('tiny')).rejects.toMatchObject({ reason: 'METHOD_NOT_ALLOWED' });
});

test('a model that is unloaded or replaced stays for those that use it', async () => {
  await models.add('tiny');
  const { repository, loader } = await open({ control: 'explicit', load: ['tiny'] });
  const model = repository.model('tiny', 0);
  model.hold();
  await repository.load('tiny');
  expect(repository.model('tiny', 0)).not.toBe(model);
  await turn();
  expect(loader.held).toEqual(['tiny/1', 'tiny/1']);
  model.release();
  await turn();
  expect(loader.held).toEqual(['tiny/1']);
});

test('a reload that fails keeps what was there, and says why', async () => {
  const folder = await models.add('tiny');
  const { repository } = await open({ control: 'explicit', load: ['tiny'] });
  const model = repository.model('tiny', 0);
  await writeFile(join(folder, 'weights.bin'), 'something else');
  await expect(repository.load('tiny')).rejects.toThrow(/INTEGRITY_MISMATCH: weights.bin has 14 bytes/);
  expect(repository.model('tiny', 0)).toBe(model);
  expect(repository.entry('tiny', 0)).toMatchObject({
    state: 'ready',
    reason: expect.stringMatching(/^INTEGRITY_MISMATCH/),
  });
});

test('polling finds new models, new versions, changed ones and those that are gone', async () => {
  await models.add('tiny', 'a', 1);
  const { repository, loader } = await open({ control: 'poll', versions: 'latest 1' });
  await models.add('tiny', 'a', 2);
  await models.add('tiny', 'b');
  await repository.poll();
  expect(states(repository)).toEqual({ 'a/2': 'ready', 'a/1': 'unavailable', 'b/1': 'ready' });
  const model = repository.model('a', 0);
  await repository.poll();
  expect(repository.model('a', 0)).toBe(model);
  const folder = join(models.path, 'a', '2');
  await rename(folder, join(models.path, 'old'));
  await models.add('tiny', 'a', 2);
  await rm(join(models.path, 'b'), { recursive: true });
  await repository.poll();
  await turn();
  expect(repository.model('a', 0)).not.toBe(model);
  expect(states(repository)).toEqual({ 'a/2': 'ready', 'a/1': 'unavailable' });
  expect(loader.held).toEqual(['a/2']);
});

test('where the newest version is bad, the one that it should have replaced goes on', async () => {
  await models.add('tiny', 'a', 1);
  const { repository } = await open({ control: 'poll', versions: 'latest 1' });
  await rm(join(await models.add('tiny', 'a', 2), 'weights.bin'));
  await repository.poll();
  expect(states(repository)).toEqual({ 'a/2': 'unavailable', 'a/1': 'ready' });
  expect(repository.model('a', 0).version).toBe(1);
});

test('labels name versions, and `stable` is what serves the bare name', async () => {
  for (const version of [1, 2, 3]) await models.add('tiny', 'a', version);
  const labels = { stable: 1, canary: 2 };
  const { repository } = await open({ versions: 'latest 1', models: { a: { labels } } });
  expect(repository.model('a', 0).version).toBe(1);
  expect(repository.model('a@canary', 0).version).toBe(2);
  expect(repository.model('a', 3).version).toBe(3);
  expect(() => repository.model('a@next', 0)).toThrow(/no label next; its labels are stable, canary/);
});
