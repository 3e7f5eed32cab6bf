// The codebook of van den Oord et al. 2017: vectors are replaced by the nearest of K embeddings, each of which follows the
// mean of the vectors that it replaces (appendix A.1). An embedding that replaces next to none starts anew from a vector
// of the batch, so that none is lost (Dhariwal et al. 2020, "Jukebox", sec. 3.2).
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { constant, normal } from './initialisers.js';
import type { Scope } from './variable.js';

export interface VectorQuantiserOptions {
  /** K of the paper. */
  readonly codes: number;
  /** D of the paper: length of an embedding. */
  readonly dimensions: number;
  /** Gamma of eq. 6-8. */
  readonly decay: number;
}

export interface VectorQuantiser {
  /** Indices of the nearest embeddings (eq. 1): [..., dimensions] -> int32 [...]. */
  nearest(vectors: Tensor): Tensor;
  /** int32 [...] -> embeddings [..., dimensions]. */
  embed(indices: Tensor): Tensor;
  /**
   * Moves the embeddings towards the vectors [..., dimensions] that they replace, `indices` [...]; those whose count falls
   * below 1 become vectors of the batch, chosen by `choice`, uniform [...].
   */
  follow(vectors: Tensor, indices: Tensor, choice: Tensor): void;
  /** Makes every embedding a vector of the batch, as in `follow`. */
  restart(vectors: Tensor, choice: Tensor): void;
}

/** Vectors a step, on average, below which an embedding is taken for dead. */
const LEAST_COUNT = 1;

export function vectorQuantiser(scope: Scope, { codes, dimensions, decay }: VectorQuantiserOptions): VectorQuantiser {
  /** N and m of eq. 6 and 7. */
  const count = scope.statistic('count', [codes], constant(LEAST_COUNT));
  const sum = scope.statistic('sum', [codes, dimensions], normal(1));
  /** Eq. 8. No count is below 1, so none needs to be smoothed. */
  const embeddings = () => tf.div(sum.value, tf.reshape(count.value, [codes, 1])) as Tensor2D; // rank 2, as stated
  const flat = (vectors: Tensor) => tf.reshape(vectors, [-1, dimensions]) as Tensor2D;

  const follow: VectorQuantiser['follow'] = (vectors, indices, choice) => {
    const all = flat(vectors);
    const replaced = tf.oneHot(tf.reshape(indices, [-1]) as Tensor1D, codes, 1, 0, 'float32') as Tensor2D; // [vectors, codes]
    const average = (old: Tensor, now: Tensor) => tf.add(tf.mul(decay, old), tf.mul(1 - decay, now));
    const counted = average(count.value, tf.sum(replaced, 0));
    const summed = average(sum.value, tf.matMul(replaced, all, true));
    const dead = tf.less(counted, LEAST_COUNT);
    count.assign(tf.maximum(counted, LEAST_COUNT));
    sum.assign(tf.where(tf.reshape(dead, [codes, 1]), choose(all, choice, codes), summed));
  };

  return {
    nearest(vectors) {
      // |z - e|^2 is least where z e - |e|^2 / 2 is greatest.
      const e = embeddings();
      const closeness = tf.sub(tf.matMul(flat(vectors), e, false, true), tf.div(tf.sum(tf.square(e), 1), 2));
      return tf.reshape(tf.argMax(closeness, 1), vectors.shape.slice(0, -1));
    },
    embed: indices => tf.gather(embeddings(), indices),
    follow,
    restart(vectors, choice) {
      count.assign(tf.onesLike(count.value));
      sum.assign(choose(flat(vectors), choice, codes));
    },
  };
}

/** `count` of the vectors [n, dimensions], those of the greatest `choice`; in turn where there are fewer. */
function choose(vectors: Tensor2D, choice: Tensor, count: number): Tensor {
  const found = Math.min(count, vectors.shape[0]);
  const { indices } = tf.topk(tf.reshape(choice, [-1]), found);
  const inTurn = tf.tensor1d(
    Array.from({ length: count }, (_, code) => code % found),
    'int32',
  );
  return tf.gather(vectors, tf.gather(indices, inTurn));
}

/** e^H of how often each of `codes` is among the indices [...], a scalar between 1 and `codes` (sec. 3.2). */
export function perplexity(indices: Tensor, codes: number): Tensor {
  const share = tf.mean(tf.oneHot(tf.reshape(indices, [-1]) as Tensor1D, codes, 1, 0, 'float32'), 0); // rank 1, as reshaped
  // Shares of zero add nothing: log 1 = 0 stands in for their logarithm.
  const logShare = tf.log(tf.where(tf.greater(share, 0), share, tf.onesLike(share)));
  return tf.exp(tf.neg(tf.sum(tf.mul(share, logShare))));
}
