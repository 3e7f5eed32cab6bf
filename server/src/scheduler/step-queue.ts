// The steps that wait, in groups that may share a run, each group in order of precedence.
import type { Schedulable, Step } from './step.js';

export class StepQueue<Model extends Schedulable> {
  /** No group is empty. */
  readonly #groups = new Map<string, Step<Model>[]>();
  #length = 0;
  #bytes = 0;

  get length(): number {
    return this.#length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(step: Step<Model>): void {
    const group = this.#groups.get(step.group);
    if (group === undefined) this.#groups.set(step.group, [step]);
    else group.splice(placeOf(step, group), 0, step);
    this.#length += 1;
    this.#bytes += step.bytes;
  }

  remove(step: Step<Model>): void {
    const group = this.#groups.get(step.group);
    const index = group?.indexOf(step) ?? -1;
    if (group === undefined || index < 0) return;
    group.splice(index, 1);
    if (group.length === 0) this.#groups.delete(step.group);
    this.#length -= 1;
    this.#bytes -= step.bytes;
  }

  /** Groups by the precedence of their first steps. They change when steps are removed. */
  groups(): (readonly Step<Model>[])[] {
    const groups = [...this.#groups.values()];
    return groups.length < 2 ? groups : groups.sort((a, b) => orderOf(a) - orderOf(b));
  }

  all(): Step<Model>[] {
    return [...this.#groups.values()].flat();
  }
}

/** Most steps belong at the end. */
function placeOf({ order }: { readonly order: number }, group: readonly { readonly order: number }[]): number {
  let place = group.length;
  while (place > 0 && (group[place - 1]?.order ?? 0) > order) place -= 1;
  return place;
}

function orderOf(group: readonly { readonly order: number }[]): number {
  return group[0]?.order ?? Number.POSITIVE_INFINITY;
}
