// Runs one command and turns what it throws into `reason: message` and an exit code.
import { type ErrorJson, GenserveError } from '@genserve/runtime';
import { CommanderError } from 'commander';
import { EXIT_CODES } from './exit-codes.js';
import { paint, say } from './output.js';
import { program } from './program.js';

/** `words`: the command line without node and script. Returns the exit code. */
export async function main(words: readonly string[]): Promise<number> {
  try {
    await program().parseAsync([...words], { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // Commander has printed its message already, help and --version among them.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_CODES.INVALID_ARGUMENT;
    const known = GenserveError.from(error);
    complain(known.toJSON());
    if (known.reason === 'INTERNAL' && known.cause instanceof Error) say(paint('dim', String(known.cause.stack)));
    return EXIT_CODES[known.reason];
  }
}

function complain({ reason, message }: ErrorJson): void {
  say(`${paint('red', reason)}: ${message}`);
}
