// Early stopping (Prechelt 1998): training ends where a held-out figure has not improved for a while, with the weights that
// were best.
import { invalid } from '@genserve/runtime';
import type { TrainingSettings } from './settings.js';

/** The best evaluation so far. */
export interface Best {
  readonly step: number;
  readonly value: number;
}

export class EarlyStopping {
  readonly #settings: TrainingSettings['earlyStopping'];
  #best: Best | undefined;
  /** Evaluations since the best. */
  #waited: number;

  /** `best`: as a checkpoint has it, with the evaluations since. */
  constructor(settings: TrainingSettings['earlyStopping'], best?: Best, waited = 0) {
    this.#settings = settings;
    this.#best = best;
    this.#waited = waited;
  }

  get best(): Best | undefined {
    return this.#best;
  }

  get waited(): number {
    return this.#waited;
  }

  /** Whether training is to end. */
  get due(): boolean {
    return this.#settings.patience > 0 && this.#waited >= this.#settings.patience;
  }

  /** Whether this evaluation is the best. Throws CONFIGURATION_INVALID where the figure is not among `metrics`. */
  observe(step: number, metrics: Readonly<Record<string, number>>): boolean {
    const { patience, metric, gain } = this.#settings;
    if (patience === 0) return false;
    const value = metrics[metric];
    if (value === undefined) {
      const known = Object.keys(metrics).join(', ') || 'none';
      throw invalid('training.earlyStopping.metric', `evaluations give no ${metric}; they give: ${known}`);
    }
    const better = Number.isFinite(value) && (this.#best === undefined || value < this.#best.value - gain);
    this.#waited = better ? 0 : this.#waited + 1;
    if (better) this.#best = { step, value };
    return better;
  }
}
