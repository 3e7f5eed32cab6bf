// Fusion: what is added to products and convolutions moves into them, and so do activations where they can.
import type { GraphBuilder } from './builder.js';
import { uniformNumber } from './builder.js';
import { countUses, type Rule } from './rewrite.js';
import type { Graph, Node, Value } from './types.js';
import { sameShape, size } from './types.js';

/**
 * The rule of the pass before: what a backward pass reads of a pre-activation it reads from the activation instead, which
 * leaves the activation as the only reader.
 */
export function readActivations(graph: Graph): Rule {
  const activated = activations(graph);
  return (builder, node, inputs) => {
    if (node.operator === 'Greater' && uniformNumber(node.inputs[1]) === 0) {
      // relu(x) > 0 wherever x > 0
      const relu = node.inputs[0] && activated.get(node.inputs[0]);
      const known = relu && builder.find('Relu', [inputs[0]]);
      if (known) return [builder.emit('Greater', [known, inputs[1]])];
    }
    return undefined;
  };
}

/** The rule of this pass, for one graph. */
export function fuse(graph: Graph): Rule {
  const uses = countUses(graph);
  return (builder, node, inputs) => {
    if (node.operator === 'Add') {
      const [left, right] = node.inputs;
      for (const [index, value] of [left, right].entries()) {
        // the sum must be the only reader of the product
        if (!value?.node || uses.get(value) !== 1) continue;
        const fused = addBias(builder, inputs[index], inputs[1 - index]);
        if (fused) return [fused];
      }
    }
    if (node.operator === 'Relu' && uses.get(node.inputs[0]!) === 1) {
      const fused = activateBlocked(builder, inputs[0]);
      if (fused) return [fused];
    }
    const activation = wholeActivation(builder, node.operator, inputs);
    if (activation) return [activation];
    return undefined;
  };
}

/** The convolution in blocked layout that `image`, just put in order or not yet, comes from: what follows can be its own last step. */
function blockedConvolution(builder: GraphBuilder, image: Value | undefined): Node | undefined {
  if (!image || !builder.computes(image)) return undefined;
  const node = image.node?.operator === 'ReorderOutput' ? image.node.inputs[0]?.node : image.node;
  return node?.operator === 'BlockedConv' && node.attributes.activation === undefined ? node : undefined;
}

/** A convolution in blocked layout adds its result to any image of its own shape. */
function addToImage(builder: GraphBuilder, product: Value, image: Value): Value | undefined {
  const node = blockedConvolution(builder, product);
  if (!node || node.inputs.length > 3 || !sameShape(product.shape, image.shape)) return undefined;
  const [x, weights, bias] = node.inputs;
  return builder.emit('BlockedConv', [x, weights, bias, image], node.attributes);
}

function addBlockedBias(builder: GraphBuilder, image: Value, bias: Value): Value | undefined {
  const node = blockedConvolution(builder, image);
  const channels = image.shape.at(-1)!;
  if (node?.inputs.length !== 2 || size(bias.shape) !== channels || bias.shape.at(-1) !== channels) return undefined;
  // zeros for the channels that fill the last group
  const filling = node.outputs[0]!.shape[1]! - channels;
  const whole = builder.emit('Pad', [builder.reshape(bias, [channels]), builder.scalar(0)], {
    mode: 'constant',
    pads: [0, filling],
  });
  const inputs = [...node.inputs, whole];
  return builder.emit('ReorderOutput', [builder.emit('BlockedConv', inputs, node.attributes)], image.node!.attributes);
}

function activateBlocked(builder: GraphBuilder, image: Value | undefined): Value | undefined {
  const node = blockedConvolution(builder, image);
  if (!node) return undefined;
  const active = builder.emit('BlockedConv', node.inputs, { ...node.attributes, activation: 'Relu' });
  if (image!.node === node) return active;
  return builder.emit('ReorderOutput', [active], image!.node!.attributes);
}

/**
 * Activations that `nn/` spells out, because tfjs's own have no second derivative, as ONNX has them: one pass over memory.
 * Elu stays spelled out: onnxruntime's own gives the last bits of a row by where its threads part the batch.
 */
function wholeActivation(
  builder: GraphBuilder,
  operator: string,
  [left, right]: readonly (Value | undefined)[],
): Value | undefined {
  const source = left?.node?.operator === 'Relu' ? left.node.inputs[0] : undefined;
  if (!source || !right) return undefined;
  // max(x, 0) - a max(-x, 0)
  if (operator === 'Sub' && right.node?.operator === 'Mul') {
    const [slope, below] = right.node.inputs;
    const alpha = uniformNumber(slope);
    const mirrored = below?.node?.operator === 'Relu' ? below.node.inputs[0]?.node : undefined;
    if (alpha !== undefined && mirrored?.operator === 'Neg' && mirrored.inputs[0] === source) {
      return builder.emit('LeakyRelu', [source], { alpha });
    }
  }
  return undefined;
}

/** The Relu of each value that has one. */
function activations(graph: Graph): Map<Value, Value> {
  const found = new Map<Value, Value>();
  for (const { operator, inputs, outputs } of graph.nodes) {
    if (operator === 'Relu' && inputs[0] && outputs[0]) found.set(inputs[0], outputs[0]);
  }
  return found;
}

const WITH_BIAS = new Set(['Conv', 'ConvTranspose', 'Gemm']);

function addBias(builder: GraphBuilder, product: Value | undefined, bias: Value | undefined): Value | undefined {
  const node = product?.node;
  if (node?.operator === 'ReorderOutput' && bias && node.attributes.channels_last === 1) {
    return addBlockedBias(builder, product!, bias);
  }
  if (node?.operator === 'BlockedConv' && bias) return addToImage(builder, product!, bias);
  if (!node || !bias || !WITH_BIAS.has(node.operator) || node.inputs.length !== 2) return undefined;
  if (!builder.computes(product)) return undefined;
  // a product of matrices adds to any matrix of its own shape
  if (node.operator === 'Gemm' && sameShape(bias.shape, product.shape)) {
    return builder.emit('Gemm', [...node.inputs, bias], node.attributes);
  }
  // the axis that the bias runs along
  const axis = node.operator === 'Gemm' ? 1 : product.shape.length - 3;
  const fromEnd = product.shape.length - axis;
  const extent = product.shape[axis]!;
  const along = extent === 1 || (bias.shape.length >= fromEnd && bias.shape.at(-fromEnd) === extent);
  if (size(bias.shape) !== extent || !along || bias.shape.length > product.shape.length) return undefined;
  const vector = builder.reshape(bias, [extent]);
  return builder.emit(node.operator, [...node.inputs, vector], node.attributes);
}
