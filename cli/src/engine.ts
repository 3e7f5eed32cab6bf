// The engine that the options of a command ask for.
import { GenserveError } from '@genserve/runtime';
import type { Device, Engine } from '@genserve/trainer';
import { type Command, Option } from 'commander';
import { positiveInteger } from './options.js';
import { paint, say } from './output.js';

export interface EngineFlags {
  readonly engine?: 'compiled' | 'eager';
  readonly backend?: 'cpu' | 'tensorflow';
  readonly device?: Device | 'auto';
  readonly threads?: number;
}

/** Adds the options that say what trains. */
export function withEngine(command: Command): Command {
  return command
    .addOption(
      new Option('--engine <name>', 'one ONNX graph, or op by op on TensorFlow.js (slow)')
        .choices(['compiled', 'eager'])
        .default('compiled'),
    )
    .addOption(
      new Option('--device <name>', 'of the compiled engine (auto: CUDA where it works, else the CPU)').choices([
        'auto',
        'cpu',
        'cuda',
        'webgpu',
      ]),
    )
    .addOption(
      new Option('--backend <name>', 'of the eager engine (tensorflow: with @tensorflow/tfjs-node-gpu)').choices([
        'cpu',
        'tensorflow',
      ]),
    )
    .addOption(
      new Option('--threads <count>', 'of training; a run is repeated bit for bit at an equal number only').argParser(
        positiveInteger,
      ),
    );
}

/** Says on what it runs where the choice was its own. Throws BACKEND_UNAVAILABLE where what was named is not here. */
export async function engineOf({ engine, backend, device, threads }: EngineFlags): Promise<Engine> {
  const { chooseDevice, compiledEngine, eagerEngine, loadTensorflow, requireDevice } = await import(
    '@genserve/trainer'
  );
  if (engine === 'eager') {
    if (device !== undefined) throw unused('device', '--engine eager takes --backend');
    if (threads !== undefined) throw unused('threads', 'TensorFlow.js takes no number of threads');
    if (backend === 'tensorflow') await loadTensorflow();
    return eagerEngine(backend);
  }
  if (backend !== undefined) throw unused('backend', 'it is for --engine eager; the compiled engine takes --device');
  if (device !== undefined && device !== 'auto') {
    await requireDevice(device);
    return compiledEngine({ device, threads });
  }
  const chosen = await chooseDevice();
  say(paint('dim', `device: ${chosen.device} (${chosen.reason})`));
  return compiledEngine({ device: chosen.device, threads });
}

function unused(field: string, why: string): GenserveError {
  return new GenserveError('INVALID_ARGUMENT', `${field}: ${why}`, { field });
}
