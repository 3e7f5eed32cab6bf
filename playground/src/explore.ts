// The latent explorer: a map of pictures over a plane of codes, a marker to drag across it, and the picture under it.
import { toCanvas } from '@genserve/sdk';
import { debounced, element } from './elements.js';
import { axesPlane, codesOf, cornersPlane, latentPorts, levelsOf, type Plane } from './latent-plane.js';
import { Latest, type Panel, type PanelContext } from './panel.js';
import type { ModelSession } from './session.js';

/** Pictures of the map in each direction. */
const SIDE = 9;
const SETTLE_MS = 120;

export class ExplorePanel implements Panel {
  readonly view = 'explore';
  readonly title = 'Explore';
  readonly #context: PanelContext;
  readonly #form = element('explore-form', HTMLFormElement);
  readonly #seed = element('explore-seed', HTMLInputElement);
  readonly #plane = element('plane', HTMLSelectElement);
  readonly #level = element('level', HTMLSelectElement);
  readonly #axes = (['axis-x', 'axis-y'] as const).map(id => element(id, HTMLInputElement));
  readonly #map = element('map', HTMLCanvasElement);
  readonly #marker = element('marker', HTMLElement);
  readonly #point = element('point', HTMLCanvasElement);
  readonly #caption = element('point-caption', HTMLElement);
  readonly #sliders = (['across', 'down'] as const).map(id => element(id, HTMLInputElement));
  readonly #mapping = new Latest(message => this.#say(message));
  readonly #pointing = new Latest(message => this.#say(message));
  #session: ModelSession | undefined;

  constructor(context: PanelContext) {
    this.#context = context;
    const { schedule } = debounced(() => this.refresh(), SETTLE_MS);
    this.#form.addEventListener('submit', event => event.preventDefault());
    this.#form.addEventListener('input', schedule);
    element('explore-shuffle', HTMLButtonElement).addEventListener('click', () => {
      this.#seed.value = String(Math.floor(Math.random() * 1e6));
      this.refresh();
    });
    for (const slider of this.#sliders) slider.addEventListener('input', () => void this.#showPoint());
    const frame = element('map-frame', HTMLElement);
    const move = (event: PointerEvent) => {
      const { left, top, width, height } = frame.getBoundingClientRect();
      const place = [(event.clientX - left) / width, (event.clientY - top) / height];
      this.#sliders.forEach((slider, i) => {
        // The middle of the first picture is 0, that of the last 1.
        const value = ((place[i] ?? 0) * SIDE - 0.5) / (SIDE - 1);
        slider.value = String(Math.min(1, Math.max(0, value)));
      });
      void this.#showPoint();
    };
    frame.addEventListener('pointerdown', event => {
      event.preventDefault();
      frame.setPointerCapture(event.pointerId);
      move(event);
    });
    frame.addEventListener('pointermove', event => {
      if (frame.hasPointerCapture(event.pointerId)) move(event);
    });
  }

  supports(session: ModelSession): boolean {
    return latentPorts(session.manifest).length > 0 && session.manifest.domain?.image !== undefined;
  }

  use(session: ModelSession): void {
    this.#session = session;
    const levels = levelsOf(session.manifest);
    element('level-field', HTMLElement).hidden = levels.length < 2;
    this.#level.replaceChildren(
      new Option('every level', ''),
      ...levels.map(level => new Option(`level ${level} alone, the others held`, String(level))),
    );
    const size =
      latentPorts(session.manifest)[0]
        ?.shape.slice(1)
        .reduce((product, length) => product * length, 1) ?? 1;
    for (const axis of this.#axes) axis.max = String(size - 1);
  }

  refresh(): void {
    element('axes-field', HTMLElement).hidden = this.#plane.value !== 'axes';
    if (!this.#form.reportValidity()) return;
    void this.#showMap();
    void this.#showPoint();
  }

  async #showMap(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    await this.#mapping.run(async signal => {
      const points = Array.from(
        { length: SIDE * SIDE },
        (_, i) => [(i % SIDE) / (SIDE - 1), Math.floor(i / SIDE) / (SIDE - 1)] as const,
      );
      const { places } = this.#context;
      const codes = this.#planeOf(session)(points);
      const { result } = await places.run(session, signal, points.length, generator =>
        generator.decode(codes, { seed: 0, signal }),
      );
      if (signal.aborted) return;
      toCanvas(result.data, { columns: SIDE, canvas: this.#map });
      const what = this.#plane.value === 'axes' ? 'two directions of the code' : 'the plane between four samples';
      this.#map.setAttribute('aria-label', `Map of ${points.length} pictures over ${what}, seed ${this.#seed.value}`);
    });
  }

  async #showPoint(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    const [x = 0, y = 0] = this.#sliders.map(({ value }) => Number(value));
    this.#marker.style.left = `${((x * (SIDE - 1) + 0.5) / SIDE) * 100}%`;
    this.#marker.style.top = `${((y * (SIDE - 1) + 0.5) / SIDE) * 100}%`;
    const labels = [x, y].map(value =>
      this.#plane.value === 'axes' ? ((value * 2 - 1) * 3).toFixed(2) : `${Math.round(value * 100)} %`,
    );
    (['across-value', 'down-value'] as const).forEach((id, i) => {
      element(id, HTMLOutputElement).textContent = labels[i] ?? '';
    });
    await this.#pointing.run(async signal => {
      const codes = this.#planeOf(session)([[x, y]]);
      const { places } = this.#context;
      const { place } = places;
      const generator = await session.at(place);
      signal.throwIfAborted();
      const { data } = await generator.decode(codes, { seed: 0, signal });
      if (signal.aborted) return;
      toCanvas(data, { canvas: this.#point });
      this.#say(`The picture at ${labels.join(', ')}`);
      this.#point.setAttribute('aria-label', `The picture at ${labels.join(', ')} of the map`);
      const [name, first] = Object.entries(codes)[0] ?? [];
      if (name && first) this.#context.onDone({ kind: 'decode', place, latents: { [name]: Array.from(first.data) } });
    });
  }

  #planeOf({ manifest }: ModelSession): Plane {
    const ports = latentPorts(manifest);
    const codes = codesOf(manifest, Number(this.#seed.value), 4);
    const level = this.#level.value === '' ? undefined : Number(this.#level.value);
    const [across = 0, down = 1] = this.#axes.map(({ value }) => Number(value));
    return this.#plane.value === 'axes'
      ? axesPlane(codes, ports, level, [across, down])
      : cornersPlane(codes, ports, level);
  }

  #say(message: string): void {
    this.#caption.textContent = message;
  }
}
