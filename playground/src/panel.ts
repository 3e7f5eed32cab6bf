// What the page's views have in common: one thing that can be done with a model each.
import { GenserveError } from '@genserve/sdk';
import type { PlaceBar } from './place.js';
import type { ModelSession } from './session.js';
import type { Topic } from './snippets.js';

export const VIEWS = ['sample', 'explore', 'paint', 'translate', 'score'] as const;
export type View = (typeof VIEWS)[number];

export interface Panel {
  readonly view: View;
  /** Of its tab. */
  readonly title: string;
  supports(session: ModelSession): boolean;
  /** Another model was picked. */
  use(session: ModelSession): void;
  /** It has come into sight, or the place has changed: does again what it shows. */
  refresh(): void;
}

/** What panels are given. */
export interface PanelContext {
  readonly places: PlaceBar;
  /** What was just done, for the code below. */
  onDone(topic: Topic): void;
}

/** Runs one task at a time, the latest: a task that is overtaken is cancelled. */
export class Latest {
  #running: AbortController | undefined;

  constructor(private readonly onError: (message: string) => void) {}

  async run(task: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.stop();
    const running = new AbortController();
    this.#running = running;
    try {
      await task(running.signal);
    } catch (error) {
      const failure = GenserveError.from(error);
      if (failure.reason !== 'CANCELLED' && !running.signal.aborted) {
        this.onError(`${failure.message} (${failure.reason})`);
      }
    }
  }

  /** Nothing that is under way may speak after this. */
  stop(): void {
    this.#running?.abort();
  }
}
