// How the optimisers move one parameter, each as its paper has it. What they carry starts at zero.
import type { Tensor } from '@tensorflow/tfjs';
import type { OptimiserSettings } from '../family.js';
import { tf } from '../trace/tensorflow.js';

type Fed = Readonly<Record<string, Tensor>>;

export interface Move {
  /** What is subtracted from the parameter. */
  readonly step: Tensor;
  /** What is carried to the next update, in the order of `carried`. */
  readonly carried: readonly Tensor[];
}

export interface Rule {
  /** Names of what is carried for each parameter, of the parameter's shape. */
  readonly carried: readonly string[];
  /** Scalars, by name, to feed at update t = 1, 2, ... */
  feeds(update: number): Readonly<Record<string, number>>;
  move(gradient: Tensor, carried: readonly Tensor[], learningRate: Tensor, fed: Fed): Move;
}

type RuleOf = (settings: OptimiserSettings) => Rule;

/** w <- w - a g. */
const sgd: RuleOf = () => ({
  carried: [],
  feeds: () => ({}),
  move: (gradient, _, learningRate) => ({ step: tf.mul(learningRate, gradient), carried: [] }),
});

/** v <- m v + g, w <- w - a v (Polyak 1964; Sutskever et al. 2013, eq. 1-2, with the learning rate outside the velocity). */
const momentum: RuleOf = ({ momentum: factor = 0.9 }) => ({
  carried: ['velocity'],
  feeds: () => ({}),
  move(gradient, [before], learningRate) {
    const velocity = tf.add(tf.mul(before!, factor), gradient); // as `carried` names it
    return { step: tf.mul(learningRate, velocity), carried: [velocity] };
  },
});

/** The gradient over the root of the moving mean of its squares (Tieleman & Hinton 2012, lecture 6.5). */
const rmsprop: RuleOf = ({ decay = 0.9, epsilon = 1e-8 }) => ({
  carried: ['mean-square'],
  feeds: () => ({}),
  move(gradient, [before], learningRate) {
    const meanSquare = tf.add(tf.mul(before!, decay), tf.mul(tf.square(gradient), 1 - decay));
    const scale = tf.add(tf.sqrt(meanSquare), epsilon);
    return { step: tf.div(tf.mul(learningRate, gradient), scale), carried: [meanSquare] };
  },
});

const firstMoment = (before: Tensor, gradient: Tensor, beta1: number): Tensor =>
  tf.add(tf.mul(before, beta1), tf.mul(gradient, 1 - beta1));

/** Kingma & Ba 2014, algorithm 1. Both bias corrections are fed, so that the powers of beta are exact. */
const adam: RuleOf = ({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }) => ({
  carried: ['first-moment', 'second-moment'],
  feeds: update => ({ correction1: 1 / (1 - beta1 ** update), correction2: 1 / (1 - beta2 ** update) }),
  move(gradient, [firstBefore, secondBefore], learningRate, { correction1, correction2 }) {
    const first = firstMoment(firstBefore!, gradient, beta1);
    const second = tf.add(tf.mul(secondBefore!, beta2), tf.mul(tf.square(gradient), 1 - beta2));
    const deviation = tf.add(tf.sqrt(tf.mul(second, correction2!)), epsilon);
    return { step: tf.div(tf.mul(tf.mul(learningRate, correction1!), first), deviation), carried: [first, second] };
  },
});

/** Kingma & Ba 2014, algorithm 2: the greatest of the decayed gradients in place of their second moment, which needs no correction. */
const adamax: RuleOf = ({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }) => ({
  carried: ['first-moment', 'greatest'],
  feeds: update => ({ correction1: 1 / (1 - beta1 ** update) }),
  move(gradient, [firstBefore, greatestBefore], learningRate, { correction1 }) {
    const first = firstMoment(firstBefore!, gradient, beta1);
    const greatest = tf.maximum(tf.mul(greatestBefore!, beta2), tf.abs(gradient));
    const scale = tf.add(greatest, epsilon);
    return { step: tf.div(tf.mul(tf.mul(learningRate, correction1!), first), scale), carried: [first, greatest] };
  },
});

export const rules = { sgd, momentum, rmsprop, adam, adamax } satisfies Record<OptimiserSettings['name'], RuleOf>;
