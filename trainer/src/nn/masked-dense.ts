// MADE's masked layers (Germain et al. 2015). With units sorted by degree a mask is a staircase, so each layer is stored as
// blocks below the staircase, which need no mask, and small ones on it: half of the weights, and of the work, are left out.
import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import { scan } from '../trace/scan.js';
import { tf } from '../trace/tensorflow.js';
import { relu } from './activations.js';
import { addBias } from './bias.js';
import { fanInNormal, zeros } from './initialisers.js';
import type { Scope } from './variable.js';

export interface MaskedAutoencoderOptions {
  /** Length D of the data, in the order of the factorisation. */
  readonly dimensions: number;
  /** Units of each hidden layer, at least one layer. Those of fewer than D units leave some degrees out. */
  readonly hidden: readonly number[];
  /** Steps of the staircase. More leave out more weights, up to half, but are smaller products. */
  readonly blocks: number;
  /** Names of the numbers given for each element, e.g. a mean and a log scale; ['output'] when absent. */
  readonly outputs?: readonly string[];
  /** Deviation of the last weights times the root of their fan-in; that of the other layers when absent. */
  readonly outputGain?: number;
}

export interface MaskedAutoencoder {
  /** [batch, D] -> for each output what it says of each element given those before it, [batch, D]. */
  map(x: Tensor): Tensor[];
  /**
   * Draws element by element: each step adds the new element to the pre-activations of its block and evaluates that block
   * alone. `noise` is [batch, D]; `decide` takes the outputs and the noise of an element, [1, batch] each. Returns [batch, D].
   */
  draw(options: {
    readonly noise: Tensor;
    decide(outputs: readonly Tensor[], noise: Tensor): Tensor;
    /** Called after each block, to replace everything computed so far, [batch, ...] each. */
    revise?(block: DrawnBlock): readonly Tensor[];
  }): Tensor;
  /** Elements of each block. */
  readonly blocks: readonly number[];
}

export interface DrawnBlock {
  readonly index: number;
  /** First element, and the outputs of the block, [batch, elements] each. */
  readonly start: number;
  readonly outputs: readonly Tensor[];
  readonly state: readonly Tensor[];
}

export function maskedAutoencoder(scope: Scope, options: MaskedAutoencoderOptions): MaskedAutoencoder {
  const { dimensions, hidden } = options;
  const outputNames = options.outputs ?? ['output'];
  // Of two elements and two units at least, so that each block has hidden units: none has the degree of the last element.
  const blocks = Math.max(1, Math.min(options.blocks, Math.floor(Math.min(dimensions, ...hidden) / 2)));
  const starts = Array.from({ length: blocks + 1 }, (_, g) => Math.round((g * dimensions) / blocks));
  const elements = byBlock(
    Array.from({ length: dimensions }, (_, d) => d),
    starts,
  );
  // A unit of degree m sees elements 0 ... m, eq. 8; degrees are spread evenly over 0 ... D - 2 instead of drawn.
  const degrees = hidden.map(units =>
    byBlock(
      Array.from({ length: units }, (_, k) => Math.floor((k * (dimensions - 1)) / units)),
      starts,
    ),
  );
  const below = [elements, ...degrees.slice(0, -1)];
  const hiddenLayers = degrees.map((to, index) =>
    staircase(scope.child(`hidden${index + 1}`), { from: below[index]!, to, sees: (own, other) => own >= other }),
  );
  const outputs = outputNames.map(name =>
    staircase(scope.child(name), {
      from: degrees.at(-1) ?? elements,
      to: elements,
      sees: (own, other) => own > other,
      gain: options.outputGain,
    }),
  );
  const lengths = elements.map(block => block.length);
  // tfjs has no gradient of a split into one part.
  const split = (x: Tensor): Tensor[] => (lengths.length === 1 ? [x] : tf.split(x, lengths, 1));

  return {
    blocks: lengths,

    map(x) {
      let parts = split(x);
      for (const layer of hiddenLayers) parts = layer.map(parts).map(relu);
      return outputs.map(output => tf.concat(output.map(parts), 1));
    },

    draw({ noise, decide, revise }) {
      const [batch] = (noise as Tensor2D).shape; // rank 2, by the contract above
      const noises = split(noise);
      /** Everything before the block, by layer: the data, then the hidden units. */
      let before: readonly Tensor[] = [];
      for (let g = 0; g < blocks; g++) {
        const bases = hiddenLayers.map((layer, index) => layer.base(g, before[index]));
        const inner = hiddenLayers.slice(1).map((layer, index) => ({ kernel: layer.own(g), base: bases[index + 1]! }));
        const eachRow = (base: Tensor) => tf.add(tf.zeros([batch, base.shape.at(-1)!]), base);
        /** Hidden units of the block from the first layer's pre-activations. */
        const evaluate = (preactivation: Tensor): Tensor[] => {
          const units = [relu(preactivation)];
          for (const { kernel, base } of inner)
            units.push(relu(tf.add(tf.matMul(units.at(-1) as Tensor2D, kernel), base)));
          return units;
        };
        const steps = elements[g]!.length;
        /** [batch, steps] -> [steps, 1, batch] */
        const rows = (x: Tensor) => tf.expandDims(tf.transpose(x), 1);
        const slices: Record<string, Tensor> = {
          // Row i: what element i adds to the hidden units. Column i: what they add to its outputs.
          row: tf.expandDims(hiddenLayers[0]!.own(g), 1),
          noise: rows(noises[g]!),
        };
        for (const [index, output] of outputs.entries()) {
          slices[columnKey(index)] = tf.expandDims(tf.transpose(output.own(g)), 2);
          slices[baseKey(index)] = rows(eachRow(output.base(g, before[hidden.length])));
        }
        const { carry, stacked } = scan({
          trips: steps,
          carry: { preactivation: eachRow(bases[0]!) },
          slices,
          body({ carry: { preactivation }, slices }) {
            const top = evaluate(preactivation).at(-1) as Tensor2D; // at least one hidden layer
            // Products of one column, or of one row, have kernels in onnxruntime that add in an order which depends on how many
            // rows share the batch. It uses neither where both factors are transposed, so that the rows are columns here.
            const given = outputs.map((_, index) =>
              tf.add(tf.matMul(slices[columnKey(index)] as Tensor2D, top, true, true), slices[baseKey(index)]!),
            );
            const element = decide(given, slices.noise!);
            const added = tf.matMul(element as Tensor2D, slices.row as Tensor2D, true);
            const kept = revise ? given.map((value, index) => [outputKey(index), value] as const) : [];
            return {
              carry: { preactivation: tf.add(added, preactivation) },
              stacked: { element, ...Object.fromEntries(kept) } as Readonly<Record<string, Tensor>>,
            };
          },
        });
        /** [steps, 1, batch] -> [batch, steps] */
        const columns = (x: Tensor) => tf.transpose(tf.squeeze(x, [1]));
        const parts = [columns(stacked.element!), ...evaluate(carry.preactivation)]; // stacked above, under this name
        before = parts.map((part, index) => (g === 0 ? part : tf.concat([before[index]!, part], 1)));
        if (revise) {
          const given = outputs.map((_, index) => columns(stacked[outputKey(index)]!)); // kept above, where revised
          before = revise({ index: g, start: starts[g]!, outputs: given, state: before });
        }
      }
      return before[0]!; // the data, of at least one block
    },
  };
}

// Names of what the loop reads and gives for each output.
const columnKey = (index: number) => `column${index}`;
const baseKey = (index: number) => `base${index}`;
const outputKey = (index: number) => `output${index}`;

interface StaircaseOptions {
  /** Degrees of the units below and of this layer's, by block. */
  readonly from: readonly (readonly number[])[];
  readonly to: readonly (readonly number[])[];
  readonly sees: (own: number, other: number) => boolean;
  readonly gain?: number | undefined;
}

/** A linear layer in which a block sees earlier blocks whole, its own one through a mask, and later ones not at all. */
function staircase(scope: Scope, { from, to, sees, gain = Math.sqrt(1 / 3) }: StaircaseOptions) {
  const inputs = from.flat().length;
  // Rectified units of 0/1 data: a third of the variance that keeps signals equal leaves early logits near 0.
  const draw = fanInNormal(inputs, gain);
  const blocks = to.map((own, g) => {
    const below = from[g]!;
    const earlier = from.slice(0, g).flat().length;
    const mask = Float32Array.from({ length: below.length * own.length }, (_, i) =>
      Number(sees(own[i % own.length]!, below[Math.floor(i / own.length)]!)),
    );
    return {
      earlier: earlier > 0 ? scope.parameter(`block${g}/earlier`, [earlier, own.length], draw) : undefined,
      own: scope.parameter(`block${g}/own`, [below.length, own.length], draw),
      bias: scope.bias(`block${g}/bias`, own.length, zeros),
      mask: () => tf.tensor2d(mask, [below.length, own.length]),
    };
  });
  /** What a block is before its own inputs are added: [batch, outputs], or [outputs] for the first, which has none before. */
  const base = (g: number, before: Tensor | undefined): Tensor => {
    const { earlier, bias } = blocks[g]!;
    return earlier && before ? addBias(tf.matMul(before as Tensor2D, earlier.value), bias.value) : bias.value;
  };
  /** Weights from the block's own inputs, masked: [inputs, outputs]. */
  const own = (g: number): Tensor2D => tf.mul(blocks[g]!.own.value, blocks[g]!.mask()) as Tensor2D;
  return {
    base,
    own,
    map(parts: readonly Tensor[]): Tensor[] {
      let before: Tensor | undefined;
      return parts.map((part, g) => {
        const result = tf.add(base(g, before), tf.matMul(part as Tensor2D, own(g)));
        before = before ? tf.concat([before, part], 1) : part;
        return result;
      });
    },
  };
}

/** Degrees in ascending order, cut where the blocks of elements begin. */
function byBlock(degrees: readonly number[], starts: readonly number[]): number[][] {
  return starts.slice(1).map((end, g) => degrees.filter(degree => degree >= starts[g]! && degree < end));
}
