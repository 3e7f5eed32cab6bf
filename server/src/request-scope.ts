// What every request brings besides its message, whatever the protocol it came by.
import { invalid } from '@genserve/runtime';
import type { Caller } from './access/caller.js';
import type { StepEvent } from './observer.js';

/** First to last. */
export const priorities = ['high', 'normal', 'low'] as const;
export type Priority = (typeof priorities)[number];

export interface RequestScope {
  readonly requestId: string;
  readonly caller: Caller;
  /** Ends with the caller's connection, its deadline or the server. */
  readonly signal: AbortSignal;
  /** On the clock of `performance.now()`, ms: a step that could only begin later is not begun. None when absent. */
  readonly deadline?: number | undefined;
  /** Steps of a higher priority begin first. `normal` when absent. */
  readonly priority?: Priority | undefined;
  /** Called once the request is over, answered or not: what it held may go. */
  onEnd(listener: () => void): void;
  /** Told of each step of this request once it has ended, e.g. for a trace. */
  readonly onStep?: ((step: StepEvent) => void) | undefined;
}

/** HTTP header and gRPC metadata. */
export const priorityHeader = 'x-request-priority';

/** @throws INVALID_ARGUMENT */
export function readPriority(text: string | undefined): Priority | undefined {
  if (text === undefined) return undefined;
  const found = priorities.find(priority => priority === text);
  if (found !== undefined) return found;
  throw invalid(priorityHeader, `must be one of ${priorities.join(', ')}, was "${text}"`);
}
