// The sampling panel: a sheet of samples from a seed, drawn on the server or in this browser, with the time of each.
import { GenserveError, labelNames, type Progress, type SampleOptions, type Samples, toCanvas } from '@genserve/sdk';
import { debounced, element } from './elements.js';
import type { ModelSession } from './session.js';
import type { Place, SampleTopic } from './snippets.js';
import { bytes, milliseconds } from './words.js';

export interface SamplingEvents {
  onSamples(samples: Samples, topic: SampleTopic): void;
  /** A picture of the sheet was picked: its row. */
  onPick(samples: Samples, row: number): void;
}

/** Pixels between pictures on the sheet. */
const GAP = 2;
const SETTLE_MS = 120;

export class SamplingPanel {
  readonly #events: SamplingEvents;
  readonly #form = element('sampling-form', HTMLFormElement);
  readonly #seed = element('seed', HTMLInputElement);
  readonly #temperature = element('temperature', HTMLInputElement);
  readonly #temperatureField = element('temperature-field', HTMLElement);
  readonly #temperatureValue = element('temperature-value', HTMLOutputElement);
  readonly #label = element('label', HTMLSelectElement);
  readonly #labelField = element('label-field', HTMLElement);
  readonly #count = element('count', HTMLSelectElement);
  readonly #sheet = element('samples', HTMLCanvasElement);
  readonly #progress = element('progress', HTMLProgressElement);
  readonly #status = element('sampling-status', HTMLElement);
  readonly #comparison = element('comparison', HTMLElement);
  readonly #compareButton = element('compare', HTMLButtonElement);
  readonly #timesMs = new Map<Place, number>();
  #session: ModelSession | undefined;
  #running: AbortController | undefined;
  #samples: Samples | undefined;

  constructor(events: SamplingEvents) {
    this.#events = events;
    this.#form.addEventListener('submit', event => {
      event.preventDefault();
      void this.generate();
    });
    const { schedule: settle } = debounced(() => void this.generate(), SETTLE_MS);
    for (const input of [this.#seed, this.#temperature]) input.addEventListener('input', settle);
    this.#form.addEventListener('change', event => {
      if (event.target !== this.#seed && event.target !== this.#temperature) settle();
    });
    this.#temperature.addEventListener('input', () => this.#showTemperature());
    element('shuffle', HTMLButtonElement).addEventListener('click', () => {
      this.#seed.value = String(Math.floor(Math.random() * 1e6));
      void this.generate();
    });
    this.#compareButton.addEventListener('click', () => void this.#compare());
    this.#sheet.addEventListener('click', event => this.#pick(event));
  }

  get place(): Place {
    return new FormData(this.#form).get('place') === 'browser' ? 'browser' : 'server';
  }

  get samples(): Samples | undefined {
    return this.#samples;
  }

  use(session: ModelSession): Promise<void> {
    this.#session = session;
    this.#timesMs.clear();
    this.#showTimes();
    this.#comparison.textContent = '';
    this.#temperatureField.hidden = !session.samplesWith('temperature');
    this.#labelField.hidden = !session.samplesWith('label');
    const names = labelNames(session.manifest);
    this.#label.replaceChildren(new Option('any', ''), ...names.map((name, index) => new Option(name, String(index))));
    return this.generate();
  }

  /** Draws what the controls say; a call that is still running is cancelled. */
  async generate(): Promise<void> {
    const session = this.#session;
    if (!session || !this.#form.reportValidity()) return;
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    const { place } = this;
    this.#sheet.setAttribute('aria-busy', 'true');
    try {
      this.#show(await this.#draw(session, place, running.signal), place);
      this.#status.textContent = await this.#note(session, place);
    } catch (error) {
      const failure = GenserveError.from(error);
      if (failure.reason !== 'CANCELLED') this.#status.textContent = `${failure.message} (${failure.reason})`;
    } finally {
      if (this.#running === running) this.#sheet.removeAttribute('aria-busy');
    }
  }

  async #draw(session: ModelSession, place: Place, signal: AbortSignal): Promise<Samples> {
    const generator = await session.at(place, progress => this.#showProgress(progress));
    signal.throwIfAborted();
    const start = performance.now();
    const samples = await generator.sample({ ...this.#options(), signal });
    this.#timesMs.set(place, performance.now() - start);
    this.#showTimes();
    return samples;
  }

  async #compare(): Promise<void> {
    const session = this.#session;
    if (!session || !this.#form.reportValidity()) return;
    this.#compareButton.disabled = true;
    this.#comparison.textContent = 'Drawing the same seed in both places …';
    try {
      const { signal } = new AbortController();
      const remote = await this.#draw(session, 'server', signal);
      const local = await this.#draw(session, 'browser', signal);
      const difference = greatestDifference(local.data.data, remote.data.data);
      this.#show(this.place === 'browser' ? local : remote, this.place);
      this.#comparison.textContent =
        difference <= 1e-4
          ? `The same pictures: values from 0 to 1 differ by ${difference.toExponential(1)} at most.`
          : `The pictures differ, by up to ${difference.toPrecision(2)}.`;
      this.#comparison.dataset.difference = String(difference);
    } catch (error) {
      this.#comparison.textContent = GenserveError.from(error).message;
    } finally {
      this.#compareButton.disabled = false;
    }
  }

  #options(): SampleOptions {
    return {
      count: Number(this.#count.value),
      seed: Number(this.#seed.value),
      ...(!this.#temperatureField.hidden && { temperature: Number(this.#temperature.value) }),
      ...(!this.#labelField.hidden && this.#label.value !== '' && { label: Number(this.#label.value) }),
    };
  }

  #show(samples: Samples, place: Place): void {
    const { count = 1, temperature } = this.#options();
    const label = this.#labelField.hidden || this.#label.value === '' ? undefined : Number(this.#label.value);
    this.#samples = samples;
    if (samples.data.shape.length === 4) {
      toCanvas(samples.data, { gap: GAP, gapValue: 0.045, canvas: this.#sheet });
      this.#sheet.setAttribute('aria-label', `${count} samples of seed ${samples.seed}`);
    }
    this.#events.onSamples(samples, { kind: 'sample', place, count, seed: samples.seed, temperature, label });
  }

  /** How the browser came to run it, said once it did. */
  async #note(session: ModelSession, place: Place): Promise<string> {
    if (place === 'server' || !session.loaded) return '';
    const { backend, fallbackReason } = await session.at('browser');
    const { tookMs, bytes: size } = session.loaded;
    const how = backend === 'webgpu' ? 'WebGPU' : 'WebAssembly';
    const why = fallbackReason ? ` (${fallbackReason})` : '';
    return `${bytes(size)} of model here and verified in ${milliseconds(tookMs)}; runs on ${how}${why}.`;
  }

  #showProgress({ phase, done, total }: Progress): void {
    this.#progress.hidden = phase !== 'download' || done >= total;
    this.#progress.value = total > 0 ? done / total : 0;
    this.#status.textContent =
      phase === 'download' ? `Bringing the model here: ${bytes(done)} of ${bytes(total)} …` : 'Starting it …';
  }

  #showTemperature(): void {
    this.#temperatureValue.textContent = Number(this.#temperature.value).toFixed(2);
  }

  #showTimes(): void {
    const longest = Math.max(...this.#timesMs.values());
    for (const place of ['server', 'browser'] as const) {
      const timeMs = this.#timesMs.get(place);
      const rate = timeMs ? Math.round((Number(this.#count.value) / timeMs) * 1000) : 0;
      element(`time-${place}`, HTMLOutputElement).textContent =
        timeMs === undefined ? 'not run yet' : `${milliseconds(timeMs)} · ${rate} pictures/s`;
      element(`bar-${place}`, HTMLElement).style.width = timeMs === undefined ? '0' : `${(timeMs / longest) * 100}%`;
    }
  }

  #pick(event: MouseEvent): void {
    const samples = this.#samples;
    const [count = 0, height = 0, width = 0] = samples?.data.shape ?? [];
    if (!samples || height === 0) return;
    const columns = Math.ceil(Math.sqrt(count));
    const bounds = this.#sheet.getBoundingClientRect();
    const scale = this.#sheet.width / bounds.width;
    const column = Math.floor(((event.clientX - bounds.left) * scale) / (width + GAP));
    const line = Math.floor(((event.clientY - bounds.top) * scale) / (height + GAP));
    const row = line * columns + column;
    if (column < columns && row < count) this.#events.onPick(samples, row);
  }
}

function greatestDifference(some: ArrayLike<number>, others: ArrayLike<number>): number {
  return Array.from(some).reduce((most, value, i) => Math.max(most, Math.abs(value - (others[i] ?? Number.NaN))), 0);
}
