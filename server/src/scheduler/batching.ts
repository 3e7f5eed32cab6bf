// Which of the steps that wait run next, and together: the first group in order of precedence that need not wait for others.
import type { Operation } from '@genserve/runtime';
import type { BatchClosing } from '../observer.js';
import type { Companions } from './companions.js';
import { CostModel } from './cost-model.js';
import { isResumable, shareOf } from './slices.js';
import type { Schedulable, Step } from './step.js';
import type { StepQueue } from './step-queue.js';

export interface BatchLimits {
  readonly maxRows: number;
  /** A run should be no longer. */
  readonly stepMs: number;
}

export interface Batch<Model extends Schedulable> {
  readonly steps: readonly Step<Model>[];
  readonly closing: BatchClosing;
}

interface Members<Model extends Schedulable> {
  readonly steps: readonly Step<Model>[];
  /** Others that may share their run, but not this one: it is full. */
  readonly left: boolean;
}

/** Where joining saves less than this share of a request's time, it is not waited for. */
const leastGain = 0.1;

export class Batching<Model extends Schedulable> {
  constructor(
    private readonly queue: StepQueue<Model>,
    private readonly companions: Companions,
    private readonly limits: BatchLimits,
  ) {}

  /**
   * Takes the batch of the first group that need not wait out of the queue; how long to wait where all do, Infinity where
   * the next end of a run will tell. @param busy every executor has a run under way.
   */
  next(now: number, busy: boolean): Batch<Model> | { readonly waitMs: number } {
    let shortestMs = Number.POSITIVE_INFINITY;
    const groups = this.queue.groups();
    for (const group of groups) {
      const members = this.#membersOf(group);
      const mixed = groups.some(other => other !== group && isSameWork(other[0], group[0]));
      const verdict = this.#decide(members, mixed, now, busy);
      if (typeof verdict === 'number') {
        shortestMs = Math.min(shortestMs, verdict);
        continue;
      }
      for (const step of members.steps) this.queue.remove(step);
      // One whose deadline has passed fails here.
      return { steps: members.steps.filter(step => step.begin(now)), closing: verdict };
    }
    return { waitMs: shortestMs };
  }

  /** Most rows that are joined: where larger batches make rows dearer, fewer than fit. */
  joinLimit(step: Step<Model>): number {
    const limit = this.#sizeLimit(step);
    if (shareOf(step.operation, step.feeds) < 1) return limit;
    return costOf(step.model, step.operation.name).cheapestRows(limit);
  }

  /** What callers should ask for at once; below 1, the share of a picture (see `Runner.rowsPerStep`). */
  rowsPerStep(model: Model, name: string): number {
    const { stepMs, maxRows } = this.limits;
    const operation = model.operation(name);
    // Members of an ensemble are alike: the first that has run speaks for all.
    const measured = [name, ...operation.members.map((_, member) => `${name}#${member}`)];
    const cost = costOf(model, measured.find(candidate => model.costs.has(candidate)) ?? name);
    const rows = cost.rowsWithin(stepMs, maxRows);
    return rows === 1 && isResumable(operation) ? cost.shareWithin(stepMs) : rows;
  }

  /** The first steps of a group, as many as may share a run. */
  #membersOf(group: readonly Step<Model>[]): Members<Model> {
    const [first] = group;
    if (first === undefined || first.retried) return { steps: group.slice(0, 1), left: false };
    const limit = this.joinLimit(first);
    const steps: Step<Model>[] = [];
    let rows = 0;
    for (const step of group) {
      if (step.retried || (steps.length > 0 && rows + step.rows > limit)) continue;
      steps.push(step);
      rows += step.rows;
    }
    return { steps, left: group.some(step => !step.retried && !steps.includes(step)) };
  }

  /** Why the batch is closed now, or how many milliseconds it should still wait for others. */
  #decide({ steps, left }: Members<Model>, mixed: boolean, now: number, busy: boolean): BatchClosing | number {
    const [first] = steps;
    if (first === undefined || first.retried) return 'retry';
    if (left) return this.joinLimit(first) < this.#sizeLimit(first) ? 'unprofitable' : 'full';
    const cost = costOf(first.model, first.operation.name);
    const { fixedMs } = cost.fit();
    const sharedMs = fixedMs < leastGain * cost.predictMs(1) ? 0 : fixedMs;
    // While a run is under way, those whom it will answer may still join.
    if (busy && this.companions.delayMs(sharedMs) > 0) return Number.POSITIVE_INFINITY;
    const { waitMs, waited } = this.companions.verdict(first.group, steps.length, sharedMs, now);
    if (waitMs > 0) return waitMs;
    if (waited !== 'none') return waited;
    return mixed ? 'mixed' : 'idle';
  }

  /** Most rows that fit into a step. */
  #sizeLimit({ model, operation, feeds }: Step<Model>): number {
    const { stepMs, maxRows } = this.limits;
    const cost = costOf(model, operation.name);
    return shareOf(operation, feeds) < 1 ? cost.rowsOfSlice(maxRows) : cost.rowsWithin(stepMs, maxRows);
  }
}

export function costOf(model: Schedulable, operation: string): CostModel {
  const known = model.costs.get(operation);
  if (known !== undefined) return known;
  const cost = new CostModel();
  model.costs.set(operation, cost);
  return cost;
}

type Task = { readonly model: Schedulable; readonly operation: Operation };

function isSameWork(a: Task | undefined, b: Task | undefined): boolean {
  return a !== undefined && a.model === b?.model && a.operation.name === b.operation.name;
}
