// The shipped WGAN-GP, and two generators of its paper's robustness table, trained for a quarter of the steps, which do not
// ship: tests/support/unshipped.ts.
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { trainingMinutes } from '../support/provenance.js';
import { record } from '../support/results.js';
import { unshippedFigures } from '../support/unshipped.js';

it('draws every digit, and each so that the classifier is sure, whatever its generator', async () => {
  const measures = ['--data', 'mnist', '--metric', 'samples', '--classifier', 'models/mnist-classifier', '--seed', '1'];
  const evaluate = ['evaluate', 'models/mnist-wgan-gp', ...measures, '--out', 'docs/results/mnist-wgan-gp'];
  const { metrics, context } = await genserve(evaluate);
  const scoreOf = async (generator: string) => {
    const name = `mnist-wgan-gp-${generator}`;
    const sheets = ['--out', `docs/results/${name}`];
    const train = `genserve train --config recipes/wgan-gp.yaml --preset ${generator} --name ${name} --steps 3000`;
    return (await unshippedFigures(name, [...measures, ...sheets], train)).classifier_score!;
  };
  const baseline = metrics.classifier_score!;
  const figures = {
    ...metrics,
    no_batch_norm_score_share: (await scoreOf('no-batch-norm')) / baseline,
    mlp_score_share: (await scoreOf('mlp')) / baseline,
    // Where it grows, the critic knows its training data by heart (Gulrajani et al. 2017, fig. 5b).
    critic_overfit: metrics.critic_loss! - metrics['real.critic_loss']!,
    training_minutes: trainingMinutes('models/mnist-wgan-gp'),
  };
  record('mnist-wgan-gp', `genserve ${evaluate.join(' ')}`, figures, context);
  expect(baseline).toBeGreaterThanOrEqual(9);
  expect(metrics.smallest_class_share).toBeGreaterThanOrEqual(0.05);
  expect(figures.no_batch_norm_score_share).toBeGreaterThanOrEqual(0.8);
  expect(figures.mlp_score_share).toBeGreaterThanOrEqual(0.8);
  expect(figures.training_minutes).toBeLessThanOrEqual(60);
});
