// Two graphs of one bundle as one, so that what both compute is computed once: onnxruntime merges equal nodes of equal inputs.
import { onnx } from '@genserve/proto/wire';

/** Of the names of the second graph's own values, so that none is one of the first's. */
const PREFIX = 'second/';

/**
 * A graph with the outputs of both. Inputs of one name are one input. Undefined where a graph nests another (a loop), whose
 * nodes onnxruntime does not merge.
 */
export function joinGraphs(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const models = [first, second].map(bytes => onnx.ModelProto.decode(bytes));
  const [{ graph: a }, { graph: b }] = models as [onnx.ModelProto, onnx.ModelProto]; // as many as there were bytes
  if (!a || !b || [...a.node, ...b.node].some(nests)) return undefined;
  const inputs = new Set(a.input.map(({ name }) => name));
  const constants = new Map(a.initializer.map(constant => [contentOf(constant), constant.name!]));
  const renamed = new Map<string, string>();
  for (const { name } of b.input) renamed.set(name!, name!);
  for (const constant of b.initializer)
    renamed.set(constant.name!, constants.get(contentOf(constant)) ?? PREFIX + constant.name);
  const outputs = new Set(b.output.map(({ name }) => name!));
  const rename = (name: string) => (name === '' || outputs.has(name) ? name : (renamed.get(name) ?? PREFIX + name));
  const joint: onnx.ModelProto = {
    ...models[0]!,
    opsetImport: [...new Map(models.flatMap(model => model.opsetImport).map(each => [each.domain, each])).values()],
    graph: {
      ...a,
      node: [
        ...a.node,
        ...b.node.map(node => ({
          ...node,
          name: PREFIX + node.name,
          input: node.input.map(rename),
          output: node.output.map(rename),
        })),
      ],
      input: [...a.input, ...b.input.filter(({ name }) => !inputs.has(name))],
      output: [...a.output, ...b.output],
      initializer: [
        ...a.initializer,
        ...b.initializer
          .filter(constant => !constants.has(contentOf(constant)))
          .map(constant => ({ ...constant, name: PREFIX + constant.name })),
      ],
      valueInfo: [],
    },
  };
  return Uint8Array.from(onnx.ModelProto.encode(joint).finish());
}

function nests({ attribute }: onnx.NodeProto): boolean {
  return attribute.some(({ type }) => type === onnx.AttributeProto_AttributeType.GRAPH);
}

/** All of a constant but its name. */
function contentOf(constant: onnx.TensorProto): string {
  return Buffer.from(onnx.TensorProto.encode({ ...constant, name: '' }).finish()).toString('base64');
}
