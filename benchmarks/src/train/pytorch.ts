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
}

export function variants(net: TrainNet): Variant[] {
  const layouts = net.convolutional ? [false, true] : [false];
  return layouts.flatMap(channelsLast => [false, true].map(foreach => ({ channelsLast, foreach })));
}

export function variantName({ channelsLast, foreach }: Variant): string {
  return `${channelsLast ? 'channels-last' : 'channels-first'}${foreach ? ', foreach' : ''}`;
}

export function peerCommand(net: TrainNet, fixture: string, variant: Variant, threads: number): Command {
  const flags = [...(variant.channelsLast ? ['--channels-last'] : []), ...(variant.foreach ? ['--foreach'] : [])];
  return {
    file: PYTHON,
    arguments: [fileURLToPath(new URL(net.peer, peers)), fixture, '--threads', String(threads), ...flags],
    // OpenBLAS has threads of its own beside those of set_num_threads.
    environment: { OPENBLAS_NUM_THREADS: String(threads), PYTHONDONTWRITEBYTECODE: '1' },
  };
}

export function versionCommand(): Command {
  const program = 'import json, sys, torch; [print(json.dumps({"torch": torch.__version__})) for _ in sys.stdin]';
  return { file: PYTHON, arguments: ['-u', '-c', program] };
}
