// The sampling view: a sheet of samples from a seed, filled as it is drawn, from which pictures can be picked.
import { labelNames, type SampleOptions, type Samples, toCanvas } from '@genserve/sdk';
import { debounced, element } from './elements.js';
import { Latest, type Panel, type PanelContext, type View } from './panel.js';
import type { ModelSession } from './session.js';
import type { Place } from './snippets.js';
import { gather } from './stream.js';

/** Pixels between pictures on the sheet. */
const GAP = 2;
const SETTLE_MS = 120;

export interface Pick {
  readonly title: string;
  readonly view: View;
  take(samples: Samples, row: number): void;
}

export class SamplingPanel implements Panel {
  readonly view = 'sample';
  readonly title = 'Sample';
  readonly #context: PanelContext;
  readonly #goTo: (pick: Pick) => void;
  readonly #picks: readonly Pick[];
  readonly #form = element('sampling-form', HTMLFormElement);
  readonly #seed = element('seed', HTMLInputElement);
  readonly #label = element('label', HTMLSelectElement);
  readonly #count = element('count', HTMLSelectElement);
  readonly #sheet = element('samples', HTMLCanvasElement);
  readonly #comparison = element('comparison', HTMLElement);
  readonly #compareButton = element('compare', HTMLButtonElement);
  readonly #picked = element('picked', HTMLElement);
  readonly #actions = element('picked-actions', HTMLElement);
  readonly #sliders = (['temperature', 'truncation'] as const).map(role => ({
    role,
    input: element(role, HTMLInputElement),
    field: element(`${role}-field`, HTMLElement),
    value: element(`${role}-value`, HTMLOutputElement),
  }));
  readonly #latest = new Latest(message => this.#say(message));
  #session: ModelSession | undefined;
  #samples: Samples | undefined;
  #row = -1;

  /** `picks` are what can be done with a picture of the sheet; `goTo` is called where one is chosen. */
  constructor(context: PanelContext, picks: readonly Pick[], goTo: (pick: Pick) => void) {
    this.#context = context;
    this.#picks = picks;
    this.#goTo = goTo;
    this.#form.addEventListener('submit', event => {
      event.preventDefault();
      void this.generate();
    });
    const { schedule: settle } = debounced(() => void this.generate(), SETTLE_MS);
    this.#form.addEventListener('input', settle);
    for (const { input, value } of this.#sliders) {
      input.addEventListener('input', () => {
        value.textContent = Number(input.value).toFixed(2);
      });
    }
    element('shuffle', HTMLButtonElement).addEventListener('click', () => {
      this.#seed.value = String(Math.floor(Math.random() * 1e6));
      void this.generate();
    });
    this.#compareButton.addEventListener('click', () => void this.#compare());
    this.#sheet.addEventListener('click', event => this.#select(this.#rowAt(event)));
    this.#sheet.addEventListener('keydown', event => this.#step(event));
  }

  supports(session: ModelSession): boolean {
    return session.hasOperation('sample');
  }

  use(session: ModelSession): void {
    this.#session = session;
    this.#samples = undefined;
    this.#comparison.textContent = '';
    for (const { role, field } of this.#sliders) field.hidden = !session.samplesWith(role);
    element('label-field', HTMLElement).hidden = !session.samplesWith('label');
    const names = labelNames(session.manifest);
    this.#label.replaceChildren(new Option('any', ''), ...names.map((name, index) => new Option(name, String(index))));
    // A picture that is drawn pixel by pixel takes its time.
    this.#count.value = session.isAutoregressive ? '16' : '36';
  }

  refresh(): void {
    void this.generate();
  }

  /** Draws what the controls say. */
  async generate(): Promise<void> {
    const session = this.#session;
    if (!session || !this.#form.reportValidity()) return;
    this.#sheet.setAttribute('aria-busy', 'true');
    this.#select(-1);
    await this.#latest.run(async signal => {
      const options = this.#options();
      const { count = 1 } = options;
      const { places } = this.#context;
      const { place } = places;
      const { result } = await places.run(session, signal, count, generator =>
        gather(generator.sampleStream({ ...options, signal, previews: true }), count, samples => {
          if (!signal.aborted) this.#draw(samples);
        }),
      );
      signal.throwIfAborted();
      this.#show(result, place);
      this.#sheet.removeAttribute('aria-busy');
    });
  }

  async #compare(): Promise<void> {
    const session = this.#session;
    if (!session || !this.#form.reportValidity()) return;
    this.#compareButton.disabled = true;
    this.#comparison.textContent = 'Drawing the same seed in both places …';
    this.#comparison.removeAttribute('data-difference');
    await this.#latest.run(async signal => {
      const options = { ...this.#options(), signal };
      const { places } = this.#context;
      const draw = async (place: Place) =>
        (await places.run(session, signal, options.count ?? 1, generator => generator.sample(options), place)).result;
      const remote = await draw('server');
      const local = await draw('browser');
      const difference = greatestDifference(local.data.data, remote.data.data);
      this.#show(places.place === 'browser' ? local : remote, places.place);
      const amount = difference === 0 ? 'not at all' : `by ${difference.toExponential(1)} at most`;
      const half = difference > 1e-4 ? ', for the weights here are of half precision' : '';
      this.#comparison.textContent = `The same pictures: values from 0 to 1 differ ${amount}${half}.`;
      this.#comparison.dataset.difference = String(difference);
    });
    this.#compareButton.disabled = false;
  }

  #options(): SampleOptions {
    const given = this.#sliders.filter(({ field }) => !field.hidden);
    return {
      count: Number(this.#count.value),
      seed: Number(this.#seed.value),
      ...Object.fromEntries(given.map(({ role, input }) => [role, Number(input.value)])),
      ...(this.#label.value !== '' && { label: Number(this.#label.value) }),
    };
  }

  #draw(samples: Samples): void {
    if (samples.data.shape.length === 4) toCanvas(samples.data, { gap: GAP, gapValue: 0.045, canvas: this.#sheet });
  }

  #show(samples: Samples, place: Place): void {
    this.#samples = samples;
    this.#draw(samples);
    const { count = 1, temperature, truncation, label } = this.#options();
    this.#sheet.setAttribute('aria-label', `${count} samples of seed ${samples.seed}`);
    this.#context.onDone({
      kind: 'sample',
      place,
      count,
      seed: samples.seed,
      temperature,
      truncation,
      label: typeof label === 'number' ? label : undefined,
    });
  }

  #say(message: string): void {
    this.#picked.textContent = message;
    this.#sheet.removeAttribute('aria-busy');
  }

  #columns(): number {
    return Math.ceil(Math.sqrt(this.#samples?.data.shape[0] ?? 1));
  }

  #rowAt(event: MouseEvent): number {
    const [count = 0, height = 0, width = 0] = this.#samples?.data.shape ?? [];
    const bounds = this.#sheet.getBoundingClientRect();
    const scale = this.#sheet.width / bounds.width;
    const column = Math.floor(((event.clientX - bounds.left) * scale) / (width + GAP));
    const row = Math.floor(((event.clientY - bounds.top) * scale) / (height + GAP)) * this.#columns() + column;
    return column < this.#columns() && row < count ? row : -1;
  }

  #step(event: KeyboardEvent): void {
    const steps: Record<string, number> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: this.#columns(),
      ArrowUp: -this.#columns(),
    };
    const step = steps[event.key];
    const count = this.#samples?.data.shape[0] ?? 0;
    if (step === undefined || count === 0) return;
    event.preventDefault();
    this.#select(this.#row < 0 ? 0 : Math.min(count - 1, Math.max(0, this.#row + step)));
  }

  #select(row: number): void {
    this.#row = row;
    const samples = this.#samples;
    if (samples) this.#draw(samples);
    const session = this.#session;
    if (!samples || !session || row < 0) {
      this.#picked.textContent = 'Pick a picture to go on with it: by a click, or with the arrow keys.';
      this.#actions.replaceChildren();
      return;
    }
    this.#outline(samples, row);
    const label = samples.labels?.[row];
    const name = label === undefined ? '' : `, a ${labelNames(session.manifest)[label] ?? label}`;
    this.#picked.textContent = `Picture ${row + 1} of seed ${samples.seed}${name}.`;
    this.#actions.replaceChildren(
      ...this.#picks
        .filter(({ view }) => session.views.includes(view))
        .map(pick => {
          const button = document.createElement('button');
          button.type = 'button';
          button.className = 'quiet';
          button.dataset.testid = `pick-${pick.view}`;
          button.textContent = pick.title;
          button.addEventListener('click', () => {
            this.#goTo(pick);
            pick.take(samples, row);
          });
          return button;
        }),
    );
  }

  /** A frame around a picture, in the gaps between it and the next. */
  #outline({ data }: Samples, row: number): void {
    const [, height = 0, width = 0] = data.shape;
    const context = this.#sheet.getContext('2d');
    if (!context) return;
    const x = (row % this.#columns()) * (width + GAP);
    const y = Math.floor(row / this.#columns()) * (height + GAP);
    context.strokeStyle = '#a5a9ff';
    context.lineWidth = GAP;
    context.strokeRect(x - GAP / 2, y - GAP / 2, width + GAP, height + GAP);
  }
}

function greatestDifference(some: ArrayLike<number>, others: ArrayLike<number>): number {
  return Array.from(some).reduce((most, value, i) => Math.max(most, Math.abs(value - (others[i] ?? Number.NaN))), 0);
}
