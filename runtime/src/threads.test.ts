import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { threadsWorth } from './threads.js';

const graph = (path: string) => readFileSync(new URL(`../../models/${path}`, import.meta.url));

describe('a graph that loops', () => {
  it.each(['mnist-pixelcnn/1/sample.onnx', 'mnist-pixelvae/1/complete.onnx', 'fashion-vq-vae/1/sample.onnx'])(
    'is worth one thread: %s',
    path => {
      expect(threadsWorth(graph(path), 8)).toBe(1);
      expect(threadsWorth(graph(path), undefined)).toBe(1);
    },
  );

  it.each(['mnist-pixelcnn/1/log_prob.onnx', 'mnist-vae/1/sample.onnx'])('is told from others: %s', path => {
    expect(threadsWorth(graph(path), 8)).toBe(8);
    expect(threadsWorth(graph(path), undefined)).toBeUndefined();
  });
});
