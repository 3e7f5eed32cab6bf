// Disks that fail while a run trains: a clear error, and nothing lost of what was saved.
import { chmod, chown, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import type { State } from '../engine/program.js';
import { blobDataset } from '../testing/blobs.js';
import type { Callbacks } from './callbacks.js';
import { latestCheckpoint } from './checkpoint.js';
import { runPaths } from './run-folder.js';
import { resume, type TrainOptions, train } from './train.js';

const dataset = blobDataset();
let runs: string;
beforeEach(async () => {
  runs = await mkdtemp(join(tmpdir(), 'genserve-faults-'));
});
afterEach(() => rm(runs, { recursive: true, force: true }));

const options = (name: string, callbacks: readonly Callbacks[] = []): TrainOptions => ({
  ...{ family: 'vae', data: dataset, configuration: { latent: 2, hidden: [8] }, steps: 9, runs, name, callbacks },
  // Saved after every step.
  training: { batch: 6, evaluateEvery: 100, evaluationRows: 8, checkpointSeconds: 1e-9 },
  engine: compiledEngine({ threads: 1 }),
});

async function newest(name: string): Promise<{ step: number; state: State }> {
  const { position, state } = (await latestCheckpoint(runPaths(join(runs, name)).checkpoints))!;
  return { step: position.step, state };
}

/** Does something to the folder of a run at its fifth step. */
const atStepFive = (act: (folder: string) => Promise<void>): Callbacks => {
  let folder = '';
  return {
    onTrainBegin(info) {
      folder = info.folder;
    },
    async onStepEnd({ step }) {
      if (step === 5) await act(folder);
    },
  };
};

/** The device on which every write says that no space is left. */
const full = '/dev/full';

describe.each([
  [
    'while a checkpoint is written',
    (folder: string) => join(runPaths(folder).checkpoints, 'step-000000005.ckpt.partial'),
    4,
  ],
  ['while the report is written', (folder: string) => join(folder, 'report.html.partial'), 5],
])('a disk that is full %s', (_, place, saved) => {
  it('ends the run with STORAGE_FULL; what was saved is whole, and the run goes on from it to the same end', async () => {
    await train(options('whole'));
    const run = train(options('full', [atStepFive(folder => symlink(full, place(folder)))]));
    await expect(run).rejects.toMatchObject({
      reason: 'STORAGE_FULL',
      message: expect.stringMatching(/no space left; free some and resume/),
    });
    expect((await newest('full')).step).toBe(saved);
    expect((await readdir(runPaths(join(runs, 'full')).checkpoints)).filter(name => name.endsWith('.partial'))).toEqual(
      [],
    );
    await resume(join(runs, 'full'), { dataset, engine: compiledEngine({ threads: 1 }) });
    expect(await newest('full')).toEqual(await newest('whole'));
  });
});

/** Read-only to this process: root, who may write everywhere, becomes nobody. */
async function withoutRights<Result>(body: () => Promise<Result>): Promise<Result> {
  const nobody = 65_534;
  const root = process.getuid!() === 0;
  if (root) process.seteuid!(nobody);
  try {
    return await body();
  } finally {
    if (root) process.seteuid!(0);
  }
}

describe.skipIf(process.platform === 'win32')('a folder that cannot be written', () => {
  it('is refused when a run begins there', async () => {
    await chmod(runs, 0o555);
    await expect(withoutRights(() => train(options('begun')))).rejects.toMatchObject({
      reason: 'PERMISSION_DENIED',
      message: expect.stringContaining('cannot be written'),
    });
    await chmod(runs, 0o755);
  });

  it('ends a run that was going on, which goes on when it can be written again', async () => {
    await train(options('whole'));
    if (process.getuid!() === 0) await chown(runs, 65_534, 65_534);
    const lock = atStepFive(folder => chmod(runPaths(folder).checkpoints, 0o555));
    await expect(withoutRights(() => train(options('locked', [lock])))).rejects.toMatchObject({
      reason: 'PERMISSION_DENIED',
    });
    expect((await newest('locked')).step).toBe(4);
    await chmod(runPaths(join(runs, 'locked')).checkpoints, 0o755);
    await resume(join(runs, 'locked'), { dataset, engine: compiledEngine({ threads: 1 }) });
    expect(await newest('locked')).toEqual(await newest('whole'));
  });
});
