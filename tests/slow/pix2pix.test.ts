// The shipped pix2pix on emoji that it has not seen, in any of their variants, beside the identity map and the same network
// without skips, which does not ship: tests/support/unshipped.ts.
// The pictures: npm install --no-save emoji-datasource-google emoji-datasource-twitter
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { trainingMinutes } from '../support/provenance.js';
import { record } from '../support/results.js';
import { unshippedFigures } from '../support/unshipped.js';

it('draws emoji of Google as Twitter does, nearer than they are and than a network without skips', async () => {
  const data = ['--data', 'emoji-pairs'];
  const translation = [...data, '--metric', 'translation'];
  const evaluate = ['evaluate', 'models/emoji-pix2pix', ...translation];
  const { metrics, context } = await genserve(evaluate);
  const train = 'genserve train --config recipes/pix2pix.yaml --preset no-skips --name emoji-pix2pix-no-skips';
  const plain = await unshippedFigures('emoji-pix2pix-no-skips', translation, train);
  const [l1, ssim] = [metrics.l1!, metrics.ssim!];
  const figures = {
    ...metrics,
    ...{ no_skips_l1: plain.l1!, no_skips_ssim: plain.ssim! },
    l1_of_identity: l1 / metrics.identity_l1!,
    l1_of_no_skips: l1 / plain.l1!,
    ssim_above_identity: ssim - metrics.identity_ssim!,
    ssim_above_no_skips: ssim - plain.ssim!,
    training_minutes: trainingMinutes('models/emoji-pix2pix'),
  };
  record('emoji-pix2pix', `genserve ${evaluate.join(' ')}`, figures, context);
  await genserve([
    'evaluate',
    'models/emoji-pix2pix',
    ...data,
    '--metric',
    'samples',
    '--out',
    'docs/results/emoji-pix2pix',
  ]);
  // Of the same held-out pictures.
  expect(plain.identity_l1).toBeCloseTo(metrics.identity_l1!, 9);
  expect(figures.l1_of_identity).toBeLessThan(1);
  expect(figures.l1_of_no_skips).toBeLessThan(1);
  expect(figures.ssim_above_identity).toBeGreaterThan(0);
  expect(figures.ssim_above_no_skips).toBeGreaterThan(0);
  expect(figures.training_minutes).toBeLessThanOrEqual(40);
});
