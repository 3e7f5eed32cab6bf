// How much of a run's budget is spent.
import type { Budget } from './callbacks.js';

export class Spending {
  readonly #startedAt: number;

  /** `elapsedSeconds`: what was trained before, where a run is resumed. */
  constructor(
    private readonly budget: Budget,
    elapsedSeconds: number,
  ) {
    this.#startedAt = performance.now() - 1000 * elapsedSeconds;
  }

  elapsedSeconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }

  /** 0 to 1, what schedules follow: of the steps where they are given, else of the minutes. */
  progress(step: number): number {
    const { steps } = this.budget;
    return Math.min(1, steps === undefined ? this.#minutesSpent() : step / steps);
  }

  /** Whether the minutes that guard a budget of steps are up. */
  timeIsUp(): boolean {
    return this.budget.steps !== undefined && this.#minutesSpent() >= 1;
  }

  secondsLeft(step: number, stepsPerSecond: number): number {
    const { steps = Number.POSITIVE_INFINITY, minutes = Number.POSITIVE_INFINITY } = this.budget;
    return Math.min((steps - step) / stepsPerSecond, Math.max(0, 60 * minutes - this.elapsedSeconds()));
  }

  #minutesSpent(): number {
    return this.elapsedSeconds() / 60 / (this.budget.minutes ?? Number.POSITIVE_INFINITY);
  }
}
