import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NoiseStream, writeNpy } from '@genserve/runtime';
import { afterAll, describe, expect, it } from 'vitest';
import { openDataset } from '../data/open.js';
import { compiledEngine } from '../engine/compiled.js';
import { batch } from './batch.js';
import { readPlan } from './plan.js';
import { mergeRecipes } from './recipe.js';

const root = mkdtempSync(join(tmpdir(), 'genserve-batch-'));
afterAll(() => rmSync(root, { recursive: true }));

const pixels = new Float32Array(60 * 16);
new NoiseStream(1, 'images', 'uniform').fill(pixels, 0);
writeFileSync(
  join(root, 'images.npy'),
  writeNpy(
    [60, 4, 4],
    Uint8Array.from(pixels, value => 255 * value),
  ),
);

function planFile(name: string, runs: string): string {
  const path = join(root, `${name}.yaml`);
  const defaults = `
runs: ${join(root, name, 'runs')}
models: ${join(root, name, 'models')}
defaults:
  family: vae
  data: ./images.npy
  configuration: { latent: 2, hidden: [4] }
  training: { batch: 4, evaluationRows: 4 }
  export: { testRows: 4, draws: 2, calibrationRows: 4 }
plan:
`;
  writeFileSync(path, defaults + runs);
  return path;
}
const versions = (plan: string, name: string) => readdirSync(join(root, plan, 'models', name));

describe('a plan', () => {
  it('goes on past a run that fails, and tries that one again when started again', async () => {
    const path = planFile('fails', '  - {name: bad, steps: 2, preset: nowhere}\n  - {name: good, steps: 2}\n');
    const warnings: string[] = [];
    const results = await batch(path, { watch: () => [{ onWarning: message => void warnings.push(message) }] });
    expect(results.map(({ status }) => status)).toEqual(['failed', 'done']);
    // Of the export, too: emoji are a package that need not be there.
    const emoji = await openDataset('emoji-google').catch(() => undefined);
    expect(warnings.filter(message => message.startsWith('no emoji'))).toHaveLength(emoji ? 0 : 1);
    expect(results[0]!.error).toMatchObject({ reason: 'CONFIGURATION_INVALID', field: 'preset' });
    expect(results[1]!.metrics['test.rows']).toBe(4);
    const actions: string[] = [];
    await batch(path, { onRun: (name, action) => actions.push(`${name}: ${action}`) });
    expect(actions[0]).toBe('bad: training');
    expect(actions.at(-1)).toBe('good: done before');
  });

  it('stops where it is asked to and says what waits', async () => {
    const path = planFile('stops', '  - {name: one, steps: 100000}\n  - {name: two, steps: 2}\n');
    const controller = new AbortController();
    const results = await batch(path, {
      signal: controller.signal,
      watch: () => [{ onStepEnd: ({ step }) => void (step === 3 && controller.abort()) }],
    });
    expect(results.map(({ status }) => status)).toEqual(['stopped', 'waiting']);
  });

  it('gives side by side what it gives one after another', async () => {
    const runs =
      '  - {name: one, steps: 3}\n  - {name: bad, steps: 2, preset: nowhere}\n  - {name: two, steps: 3, seed: 1}\n';
    const after = await batch(planFile('one-after-another', runs), { engine: compiledEngine({ threads: 1 }) });
    const seen = new Set<string>();
    const beside = await batch(planFile('side-by-side', runs), {
      jobs: { count: 2, threads: 1 },
      watch: name => [{ onTrainEnd: ({ step }) => void seen.add(`${name} at ${step}`) }],
    });
    expect(beside.map(({ status }) => status)).toEqual(['done', 'failed', 'done']);
    expect(beside[1]!.error).toEqual(after[1]!.error);
    for (const index of [0, 2]) expect(beside[index]!.metrics).toEqual(after[index]!.metrics);
    expect([...seen].sort()).toEqual(['one at 3', 'two at 3']);
    const again = await batch(join(root, 'side-by-side.yaml'), { jobs: { count: 2 } });
    expect(again.map(({ status }) => status)).toEqual(['done', 'failed', 'done']);
    expect(versions('side-by-side', 'one')).toEqual(['1']);
  });

  it('stops all that run side by side where it is asked to, and goes on with them', async () => {
    const path = planFile(
      'stops-beside',
      '  - {name: one, steps: 400}\n  - {name: two, steps: 400}\n  - {name: three, steps: 2}\n',
    );
    const controller = new AbortController();
    const begun = new Set<string>();
    const stopped = await batch(path, {
      jobs: { count: 2, threads: 1 },
      signal: controller.signal,
      watch: name => [{ onStepEnd: () => void (begun.add(name).size === 2 && controller.abort()) }],
    });
    expect(stopped.map(({ status }) => status)).toEqual(['stopped', 'stopped', 'waiting']);
    const actions: string[] = [];
    const results = await batch(path, {
      jobs: { count: 2 },
      onRun: (name, action) => actions.push(`${name} ${action}`),
    });
    expect(results.map(({ status }) => status)).toEqual(['done', 'done', 'done']);
    expect(actions).toEqual(expect.arrayContaining(['one going on', 'two going on', 'three training']));
  });

  it('goes on past a process that is killed, and with its run when started again', async () => {
    const path = planFile('killed', '  - {name: one, steps: 100000}\n  - {name: two, steps: 2}\n');
    const onStepEnd = () => {
      for (const pid of jobProcesses()) process.kill(pid, 'SIGKILL');
    };
    const results = await batch(path, {
      jobs: { count: 1, threads: 1 },
      watch: name => (name === 'one' ? [{ onStepEnd }] : []),
    });
    expect(results.map(({ status }) => status)).toEqual(['failed', 'done']);
    expect(results[0]!.error!.message).toBe('the process that trained one ended with SIGKILL');
    const actions: string[] = [];
    const controller = new AbortController();
    const onRun = (name: string, action: string) => {
      actions.push(`${name}: ${action}`);
      controller.abort();
    };
    await batch(path, { jobs: { count: 1 }, signal: controller.signal, onRun });
    expect(actions).toEqual(['one: going on']);
  });

  it('refuses a recipe that was changed under a name that is taken', async () => {
    await batch(planFile('changes', '  - {name: one, steps: 2}\n'));
    const [result] = await batch(planFile('changes', '  - {name: one, steps: 3}\n'));
    expect(result).toMatchObject({ status: 'failed', error: { reason: 'CONFIGURATION_INVALID' } });
    expect(result?.error?.message).toContain('begun with another recipe');
    const [same] = await batch(planFile('changes', '  - {steps: 2, name: one}\n'));
    expect(same?.status).toBe('done');
  });

  it('does not publish a second time where it ended between publishing and writing that down', async () => {
    const path = planFile('published', '  - {name: one, steps: 2}\n');
    await batch(path);
    const state = join(root, 'published/runs/published.plan.json');
    writeFileSync(state, readFileSync(state, 'utf8').replace('"done"', '"trained"'));
    const [result] = await batch(path);
    expect(result).toMatchObject({ status: 'done', bundle: join(root, 'published/models/one/1') });
    expect(versions('published', 'one')).toEqual(['1']);
  });

  it('is checked as a whole before anything is trained', async () => {
    const read = (name: string, runs: string) => readPlan(planFile(name, runs));
    await expect(read('twice', '  - {name: a, steps: 1}\n  - {name: a, steps: 1}\n')).rejects.toThrow(
      'two runs are called a',
    );
    await expect(read('typo', '  - {name: a, stepps: 1}\n')).rejects.toThrow(
      'plan.0.stepps: there is no such setting; did you mean "steps"?',
    );
    await expect(read('names', '  - {name: A B, steps: 1}\n')).rejects.toThrow('plan.0.name');
  });
});

describe('recipes', () => {
  it('are laid over each other setting by setting, a budget replacing the other kind', () => {
    const base = {
      family: 'vae',
      minutes: 5,
      configuration: { a: { b: 1, c: 2 } },
      data: { source: 'mnist', size: 8 },
    };
    expect(
      mergeRecipes(base, { steps: 3, configuration: { a: { c: 3 } }, data: { source: 'mnist', seed: 1 } }),
    ).toEqual({
      family: 'vae',
      steps: 3,
      configuration: { a: { b: 1, c: 3 } },
      data: { source: 'mnist', size: 8, seed: 1 },
    });
  });
});

/** Processes of runs that this one has started. */
function jobProcesses(): number[] {
  return readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .map(Number)
    .filter(pid => {
      try {
        const [, parent] = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
        const isJob = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('job-process');
        return isJob && Number(parent) === process.pid;
      } catch {
        return false; // it has just ended
      }
    });
}
