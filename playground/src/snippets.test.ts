import { expect, it } from 'vitest';
import { type Language, snippet, type Topic } from './snippets.js';

// That curl and Python do what they say is tested in tests/browser, which runs them.
const target = { server: 'http://host:8080', model: 'mnist-vae', bundleUrl: 'http://host:8080/bundles/mnist-vae/1/' };
const sample: Topic = { kind: 'sample', place: 'browser', count: 4, seed: 7, temperature: 0.8 };
const languages: Language[] = ['curl', 'typescript', 'python'];

it.each(languages)('names count, seed and temperature in %s, and nothing that was not chosen', language => {
  const code = snippet(language, sample, target);
  for (const part of [/count\W+4/, /seed\W+7/, /temperature\W+0\.8/]) expect(code).toMatch(part);
  expect(code).not.toMatch(/label/);
  expect(snippet(language, { ...sample, label: 3 }, target)).toMatch(/label\w*\W+3/);
});

it('loads the bundle for the browser, and connects for the server', () => {
  expect(snippet('typescript', sample, target)).toContain(`loadGenerator('${target.bundleUrl}')`);
  expect(snippet('typescript', { ...sample, place: 'server' }, target)).toContain(
    `connect('http://host:8080', { model: 'mnist-vae' })`,
  );
});

it('asks Generate where there is a condition', () => {
  expect(snippet('curl', sample, target)).toContain('mnist-vae:sample');
  expect(snippet('curl', { ...sample, label: 3 }, target)).toContain('mnist-vae:generate');
});

it('carries the picture that was scored', () => {
  const topic: Topic = { kind: 'anomaly', place: 'server', png: 'iVBORw0KGgo=' };
  expect(snippet('curl', topic, target)).toContain('{"inputs":{"images":["iVBORw0KGgo="]},"map":true}');
  expect(snippet('python', topic, target)).toContain('"map":True');
});
