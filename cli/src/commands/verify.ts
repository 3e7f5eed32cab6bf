// `genserve verify`: whether a bundle is what it says it is, and computes here what it computed when it was made.
import { GenserveError } from '@genserve/runtime';
import { Command } from 'commander';
import { bundleFolder } from '../bundle.js';
import { jsonOption } from '../options.js';
import { print, printFigures, table } from '../output.js';

export function verifyCommand(): Command {
  return new Command('verify')
    .description('check the files, checksums and recorded values of a bundle')
    .argument('<bundle>', 'models/<name>, models/<name>/<version>, or a name below models/')
    .option('--variant <name>', 'e.g. float16; the float32 graphs when absent')
    .addOption(jsonOption())
    .action(async (reference: string, flags: { variant?: string; json?: boolean }) => {
      const { verify } = await import('@genserve/trainer');
      const { name, version, files, golden, passed } = await verify(bundleFolder(reference), {
        variant: flags.variant,
      });
      const greatest = Math.max(0, ...golden.map(({ difference }) => difference));
      if (flags.json) {
        const metrics = {
          'verify.files': files,
          'verify.values': golden.length,
          'verify.greatest_difference': greatest,
        };
        printFigures({ metrics, context: { bundle: `${name}/${version}`, passed, golden } });
      } else {
        const rows = golden.map(({ golden: { operation, output, tolerance }, difference, passed: same }) => {
          const numbers = [difference, tolerance].map(value => value.toExponential(1));
          return [`${operation}.${output}`, ...numbers, same ? 'same' : 'DIFFERS'];
        });
        print(table(['output', 'difference', 'allowed', ''], rows));
        print(`\n${name}/${version}: ${files} files as listed${passed ? ', every recorded value computed again' : ''}`);
      }
      if (!passed) {
        throw new GenserveError('INTEGRITY_MISMATCH', `${name}/${version} does not compute the values that it records`);
      }
    });
}
