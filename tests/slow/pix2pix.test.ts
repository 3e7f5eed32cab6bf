// pix2pix by its recipe, with skips and without, on emoji that neither has seen, in any of their variants.
// The pictures: npm install --no-save emoji-datasource-google emoji-datasource-twitter
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { root } from '../support/paths.js';
import { record } from '../support/results.js';

it('draws emoji of Google as Twitter does, nearer than they are and than a network without skips', async () => {
  const folder = mkdtempSync(`${tmpdir()}/genserve-pix2pix-`);
  const measured = async (name: string, preset: string) => {
    const started = performance.now();
    const recipe = ['--config', 'recipes/pix2pix.yaml', '--preset', preset, '--name', name];
    await genserve(['train', ...recipe, '--no-export', '--runs', `${folder}/runs`], root);
    const minutes = (performance.now() - started) / 60_000;
    await genserve(['export', `${folder}/runs/${name}`, '--out', `${folder}/models`], root);
    const translation = ['--data', 'emoji-pairs', '--metric', 'translation'];
    const { metrics, context } = await genserve(['evaluate', `${folder}/models/${name}`, ...translation], root);
    return { metrics, context, minutes };
  };
  try {
    const { metrics, context, minutes } = await measured('emoji-pix2pix', 'small');
    const { metrics: plain } = await measured('emoji-pix2pix-no-skips', 'no-skips');
    const [l1, ssim] = [metrics.l1!, metrics.ssim!];
    const figures = {
      ...metrics,
      ...{ no_skips_l1: plain.l1!, no_skips_ssim: plain.ssim!, training_minutes: minutes },
      l1_of_identity: l1 / metrics.identity_l1!,
      l1_of_no_skips: l1 / plain.l1!,
      ssim_above_identity: ssim - metrics.identity_ssim!,
      ssim_above_no_skips: ssim - plain.ssim!,
    };
    const command = 'genserve evaluate models/emoji-pix2pix --data emoji-pairs --metric translation';
    record('emoji-pix2pix', command, figures, context);
    expect(figures.l1_of_identity).toBeLessThan(1);
    expect(figures.l1_of_no_skips).toBeLessThan(1);
    expect(figures.ssim_above_identity).toBeGreaterThan(0);
    expect(figures.ssim_above_no_skips).toBeGreaterThan(0);
    expect(minutes).toBeLessThanOrEqual(40);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
