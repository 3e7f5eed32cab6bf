// Ctrl-C and SIGTERM as an AbortSignal: the first asks a run to stop where it can go on later, the second ends the process.
import { EXIT_CODES } from './exit-codes.js';
import { say } from './output.js';

/** Calls `work` with a signal that the first interrupt aborts; `notice` says what happens then. */
export async function interruptible<Result>(
  notice: string,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(EXIT_CODES.CANCELLED);
    say(`\n${notice} (again to quit at once)`);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
