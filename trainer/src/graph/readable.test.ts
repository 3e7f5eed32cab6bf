// Exported graphs are read by people, in a viewer: what each node belongs to, what each weight is, and nothing done and undone.
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onnx } from '@genserve/proto/wire';
import { describe, expect, test } from 'vitest';
import { operationProgram } from '../export/operation-program.js';
import { families } from '../families/registry.js';
import { blobDataset } from '../testing/blobs.js';
import { trace } from '../trace/trace.js';
import { initialState } from '../train/initial-state.js';
import { buildModel, modelDomain, parseConfiguration } from '../train/run.js';
import { optimise } from './optimise.js';
import { EXTERNAL_BYTES, Weights, writeModel } from './write.js';

/** A constant that no parameter is part of, such as a mask, by what it holds. */
const CONSTANT = /^constant_[0-9a-f]{8}/;

/** What a reader would stumble over, by node or initialiser. */
function stumblingBlocks(bytes: Uint8Array): string[] {
  const { graph } = onnx.ModelProto.decode(bytes);
  const graphs = graph ? nested(graph) : [];
  const nodes = graphs.flatMap(({ node }) => node);
  const transposed = new Set(nodes.filter(({ opType }) => opType === 'Transpose').flatMap(({ output }) => output));
  const names = nodes.map(({ name = '' }) => name);
  const floats = graphs.flatMap(({ initializer }) => initializer).filter(({ dataType }) => dataType === 1);
  const weights = floats.filter(
    ({ dims, name = '' }) =>
      4 * dims.reduce((size, extent) => size * extent, 1) >= EXTERNAL_BYTES && !CONSTANT.test(name),
  );
  const weightNames = new Set(weights.map(({ name = '' }) => name));
  return [
    ...names.filter((name, index) => name === '' || names.indexOf(name) !== index).map(name => `two nodes: ${name}`),
    ...nodes
      .filter(({ name = '', input }) => input.some(each => weightNames.has(each)) && !name.includes('/'))
      .map(({ name }) => `of no module, but with weights: ${name}`),
    ...nodes
      .filter(({ opType, input }) => opType === 'Transpose' && transposed.has(input[0]!))
      .map(({ name }) => `a transpose of a transpose: ${name}`),
    ...[...weightNames].filter(name => !name.includes('/')).map(name => `of no parameter: ${name}`),
  ];
}

/** A graph and those inside its nodes. */
function nested(graph: onnx.GraphProto): onnx.GraphProto[] {
  const inner = graph.node.flatMap(({ attribute }) => attribute.flatMap(({ g }) => (g ? nested(g) : [])));
  return [graph, ...inner];
}

describe('the graphs of', () => {
  // halved twice by some, labelled for others
  const blobs = blobDataset(8).domain;
  const labelled = { ...blobs, image: { ...blobs.image!, labels: ['even', 'odd'] } };
  test.each(Object.keys(families))('family %s name nodes by module and weights by parameter', name => {
    const family = families[name]!;
    const configuration = parseConfiguration(family, family.presets[family.defaultPreset]);
    const domain = modelDomain(family, configuration, labelled);
    const { model, variables } = buildModel({ family: name, configuration, domain, target: domain });
    const parameters = initialState(variables, 1);
    const found = model.operations.flatMap(operation => {
      const graph = optimise(trace(operationProgram(operation, variables), 5, { parameters }));
      return stumblingBlocks(writeModel(graph, { weights: new Weights() })).map(each => `${operation.name}: ${each}`);
    });
    expect(found).toEqual([]);
  });

  test('every shipped bundle do so too', async () => {
    const models = join(dirname(fileURLToPath(import.meta.url)), '../../../models');
    const files = (await readdir(models, { recursive: true })).filter(file => file.endsWith('.onnx'));
    const found = await Promise.all(
      files.map(async file => stumblingBlocks(await readFile(join(models, file))).map(each => `${file}: ${each}`)),
    );
    expect(files.length).toBeGreaterThan(0);
    expect(found.flat()).toEqual([]);
  });
});
