// How strongly a datum pulls at each layer of the model that explains it: statistics for an anomaly score.
import type { Tensor } from '@tensorflow/tfjs';
import type { Model, OperationSpec } from '../family.js';
import type { Variable } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';

export const GRADIENT_NORMS = 'gradient_norms';

/**
 * An operation that takes what `log_prob` takes and gives, for each layer that ends in a bias, log(1 + |d log p(x) / d bias|^2),
 * [batch, layers] (layer-wise norms: Dauncey et al. 2024; gradients as statistics of a datum: Bergamin et al. 2022). Of a
 * layer's parameters the bias alone, as it can be another one for each row: one pass backwards then gives the gradients of
 * all rows apart, where a layer's weights would take a pass for each. Nothing for models without a likelihood of data.
 */
export function gradientNorms(model: Model, variables: readonly Variable[]): OperationSpec | undefined {
  const logProb = model.operations.find(({ name }) => name === 'log_prob');
  const biases = variables.filter(({ name, isBias }) => isBias && !name.startsWith('background/'));
  if (!logProb || model.likelihood.kind === 'codes' || biases.length === 0) return undefined;
  return {
    name: GRADIENT_NORMS,
    inputs: logProb.inputs,
    outputs: [{ name: 'norms', role: 'features', shape: [biases.length] }],
    run(inputs) {
      const [batch] = inputs[logProb.inputs[0]!.name]!.shape;
      const gradients = gradientsPerRow(biases, batch!, () => logProb.run(inputs).log_prob!);
      return { norms: tf.stack(gradients.map(logSquaredNorm), 1) };
    },
  };
}

/** d value / d bias, [batch, outputs] for each bias, of a value [batch] whose rows are apart. */
function gradientsPerRow(biases: readonly Variable[], batch: number, value: () => Tensor): Tensor[] {
  const shared = biases.map(bias => bias.value);
  const bind = (values: readonly Tensor[]) => {
    for (const [index, bias] of biases.entries()) bias.bind(values[index]);
  };
  const sum = (...own: Tensor[]) => {
    bind(own);
    return tf.sum(value());
  };
  try {
    return tf.grads(sum)(shared.map(bias => tf.add(tf.zeros([batch, bias.shape[0]!]), bias)));
  } finally {
    bind(shared);
  }
}

/** Above 0 by 1: what cancels to nearly nothing is rounding, of which a logarithm would make much. */
function logSquaredNorm(gradient: Tensor): Tensor {
  return tf.log(tf.add(tf.sum(tf.square(gradient), 1), 1));
}
