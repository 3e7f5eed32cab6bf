// `genserve families`: what can be trained.
import { Command } from 'commander';
import { paint, print } from '../output.js';

export function familiesCommand(): Command {
  return new Command('families')
    .description('list the model families and their presets')
    .option('--json', 'one JSON object on standard output')
    .action(async ({ json }: { json?: boolean }) => {
      const { families } = await import('@genserve/trainer');
      const list = Object.values(families).map(({ name, paper, url, presets, defaultPreset }) => {
        return { name, paper, url, presets: Object.keys(presets), defaultPreset };
      });
      if (json) {
        print(JSON.stringify({ families: list }, null, 2));
        return;
      }
      for (const { name, paper, url, presets, defaultPreset } of list) {
        const marked = presets.map(preset => (preset === defaultPreset ? `${preset} (default)` : preset));
        print(`${paint('bold', name)}\n  ${paper}\n  ${url}\n  presets: ${marked.join(', ')}`);
      }
      print('\nA family of your own: --family ./mine.ts, a module that exports `family`.');
    });
}
