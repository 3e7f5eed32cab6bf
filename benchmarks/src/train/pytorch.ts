// PyTorch as a rival: Debian's own build, in the fastest of the ways that it can run a program.
import { fileURLToPath } from 'node:url';
import type { Command } from '../contestant.js';
import type { TrainNet } from './nets.js';

const peers = new URL('../../peers/', import.meta.url);
const setup = new URL('../../../scripts/setup.mjs', import.meta.url);

/** Debian's interpreter, for which Debian's packages are. */
const PYTHON = '/usr/bin/python3';

/** Installs PyTorch with OpenBLAS where it is missing; ends the process with advice where that is impossible. */
export async function installPyTorch(): Promise<void> {
  // Plain JavaScript without declarations: this is the part that is used.
  const { debian }: { debian(packages: readonly string[], whoNeeds: string): void } = await import(setup.href);
  debian(['python3-torch', 'libopenblas0-pthread'], 'This benchmark needs');
}

export interface Variant {
  /** Images in memory as [batch, height, width, channels]. */
  readonly channelsLast: boolean;
  /** Adam over lists of tensors. */
  readonly foreach: boolean;
  /** How its threads are run: as they come when absent. */
  readonly tuning?: Tuning;
}

/**
 * PyTorch's own threads (OpenMP) wait by spinning, on the cores that OpenBLAS's threads need: what `set_num_threads` alone
 * gives can be slower than one thread. These are what someone who looks closely would try next.
 */
const tunings = {
  'bound threads': { OMP_PROC_BIND: 'true' },
  'bound threads, one for BLAS': { OMP_PROC_BIND: 'true', OPENBLAS_NUM_THREADS: '1' },
  'one thread': { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
} as const;
export type Tuning = keyof typeof tunings;

/** The ways to run a program that its own code can choose. */
export function variants(net: TrainNet): Variant[] {
  const layouts = net.convolutional ? [false, true] : [false];
  return layouts.flatMap(channelsLast => [false, true].map(foreach => ({ channelsLast, foreach })));
}

/** A variant with its threads run in every other way. */
export function tuned(variant: Variant): Variant[] {
  // The keys are those of the object above.
  return (Object.keys(tunings) as Tuning[]).map(tuning => ({ ...variant, tuning }));
}

export function variantName({ channelsLast, foreach, tuning }: Variant): string {
  const parts = [channelsLast ? 'channels-last' : 'channels-first', foreach ? 'foreach' : '', tuning ?? ''];
  return parts.filter(part => part !== '').join(', ');
}

export function peerCommand(net: TrainNet, fixture: string, variant: Variant, threads: number): Command {
  const { channelsLast, foreach, tuning } = variant;
  const flags = [...(channelsLast ? ['--channels-last'] : []), ...(foreach ? ['--foreach'] : [])];
  const count = String(tuning === 'one thread' ? 1 : threads);
  return {
    file: PYTHON,
    arguments: [fileURLToPath(new URL(net.peer, peers)), fixture, '--threads', count, ...flags],
    environment: {
      PYTHONDONTWRITEBYTECODE: '1',
      // OpenBLAS has threads of its own beside those of set_num_threads.
      OPENBLAS_NUM_THREADS: count,
      ...(tuning && tunings[tuning]),
    },
  };
}

export function versionCommand(): Command {
  const program = 'import json, sys, torch; [print(json.dumps({"torch": torch.__version__})) for _ in sys.stdin]';
  return { file: PYTHON, arguments: ['-u', '-c', program] };
}
