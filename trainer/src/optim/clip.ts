// Gradient clipping: by the norm over all parameters (Pascanu et al. 2013), by each parameter's own, or element by element.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';

export interface ClipSettings {
  /** Greatest norm of all gradients together; 0 = none. At most one of the three is set. */
  readonly clipNorm: number;
  /** Greatest norm of each parameter's gradient; 0 = none. */
  readonly clipTensorNorm: number;
  /** Greatest magnitude of an element; 0 = none. */
  readonly clipValue: number;
}

/** Euclidean norm of all gradients together; scalar. */
export function globalNorm(gradients: readonly Tensor[]): Tensor {
  return tf.sqrt(tf.addN(gradients.map(gradient => tf.sum(tf.square(gradient)))));
}

/** The gradients within the bound that is set; `norm` is their global norm. */
export function clip(gradients: readonly Tensor[], norm: Tensor, settings: ClipSettings): readonly Tensor[] {
  const { clipNorm, clipTensorNorm, clipValue } = settings;
  if (clipNorm > 0) return scale(gradients, norm, clipNorm);
  if (clipTensorNorm > 0)
    return gradients.flatMap(gradient => scale([gradient], globalNorm([gradient]), clipTensorNorm));
  if (clipValue > 0) return gradients.map(gradient => tf.clipByValue(gradient, -clipValue, clipValue));
  return gradients;
}

function scale(gradients: readonly Tensor[], norm: Tensor, maximum: number): Tensor[] {
  const factor = tf.minimum(1, tf.div(maximum, tf.add(norm, 1e-12)));
  return gradients.map(gradient => tf.mul(gradient, factor));
}
