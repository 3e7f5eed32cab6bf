// The command line as a whole: which commands there are. Each loads its package only when it runs.
import { Command } from 'commander';
import { batchCommand } from './commands/batch.js';
import { benchCommand } from './commands/bench.js';
import { calibrateCommand } from './commands/calibrate.js';
import { datasetsCommand } from './commands/datasets.js';
import { evaluateCommand } from './commands/evaluate.js';
import { exportCommand } from './commands/export.js';
import { familiesCommand } from './commands/families.js';
import { inspectCommand } from './commands/inspect.js';
import { keyCommand } from './commands/key.js';
import { resumeCommand } from './commands/resume.js';
import { sampleCommand } from './commands/sample.js';
import { scoreCommand } from './commands/score.js';
import { serveCommand } from './commands/serve.js';
import { trainCommand } from './commands/train.js';
import { verifyCommand } from './commands/verify.js';
import { EXIT_CODES } from './exit-codes.js';
import { paint } from './output.js';
import { version } from './version.js';

export function program(): Command {
  const genserve = new Command('genserve')
    .description('Train deep generative models, export them to ONNX, and serve them.')
    .version(version())
    .showHelpAfterError('(add --help for what there is)')
    .addHelpText('after', examples + exitCodes())
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, `${paint('red', 'INVALID_ARGUMENT')}: `)),
    });
  const commands = [
    trainCommand(),
    resumeCommand(),
    exportCommand(),
    batchCommand(),
    evaluateCommand(),
    sampleCommand(),
    scoreCommand(),
    calibrateCommand(),
    verifyCommand(),
    inspectCommand(),
    familiesCommand(),
    datasetsCommand(),
    serveCommand(),
    keyCommand(),
    benchCommand(),
  ];
  for (const command of commands) genserve.addCommand(command.copyInheritedSettings(genserve));
  return genserve;
}

const examples = `
Examples:
  $ genserve train --family vae --data mnist --minutes 20    train, and export to models/
  $ genserve sample models/mnist-vae --count 64 --out sheet.png
  $ genserve score models/mnist-vae photos/ --out scores.csv
  $ genserve serve                                           the models of models/, with a page to play with
`;

function exitCodes(): string {
  const codes = Object.entries(EXIT_CODES).map(([reason, code]) => `${code} ${reason}`);
  const lines: string[] = [];
  for (let i = 0; i < codes.length; i += 4) lines.push(`  ${codes.slice(i, i + 4).join(', ')}`);
  return `\nExit codes: 0 success, and by the reason of an error:\n${lines.join(',\n')}\n`;
}
