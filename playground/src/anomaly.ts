// The anomaly panel: a drawing, a dropped picture or a sample, its reconstruction, its score in words, and where in it
// the surprise lies.
import {
  type AnomalyScore,
  type FitOptions,
  float32,
  fromPixels,
  GenserveError,
  type Samples,
  type Tensor,
  toBlob,
  toCanvas,
} from '@genserve/sdk';
import { centreDigit } from './digit.js';
import { context2d, debounced, element } from './elements.js';
import { heatPixels } from './heat.js';
import { Pad } from './pad.js';
import type { ModelSession } from './session.js';
import type { AnomalyTopic, Place } from './snippets.js';
import { milliseconds, nounOf, verdict } from './words.js';

export interface AnomalyEvents {
  place(): Place;
  /** The next sample to take, and its row. */
  nextSample(): readonly [Samples, number] | undefined;
  onScored(topic: AnomalyTopic): void;
}

const SETTLE_MS = 150;
const WAITING = 'Waiting for a picture.';

export class AnomalyPanel {
  readonly #events: AnomalyEvents;
  readonly #panel = element('anomaly', HTMLElement);
  readonly #pad: Pad;
  readonly #centre = element('centre', HTMLInputElement);
  readonly #centreField = element('centre-field', HTMLElement);
  readonly #reconstruction = element('reconstruction', HTMLCanvasElement);
  readonly #heat = element('heat', HTMLCanvasElement);
  readonly #words = element('verdict-words', HTMLElement);
  readonly #figures = element('verdict-figures', HTMLElement);
  readonly #scale = element('scale', HTMLElement);
  readonly #mark = element('scale-mark', HTMLElement);
  readonly #settle = debounced(() => void this.score(), SETTLE_MS);
  #session: ModelSession | undefined;
  #running: AbortController | undefined;
  /** The row that is scored, where it did not come from the pad's pixels. */
  #given: Tensor | undefined;

  constructor(events: AnomalyEvents) {
    this.#events = events;
    this.#pad = new Pad(() => {
      this.#given = undefined;
      this.#settle.schedule();
    });
    this.#centre.addEventListener('change', () => this.#settle.schedule());
    element('clear', HTMLButtonElement).addEventListener('click', () => this.#clear());
    element('take-sample', HTMLButtonElement).addEventListener('click', () => {
      const next = this.#events.nextSample();
      if (next) this.take(...next);
    });
    const file = element('file', HTMLInputElement);
    file.addEventListener('change', () => {
      const [picture] = file.files ?? [];
      if (picture) void this.#open(picture);
      file.value = '';
    });
    this.#acceptDrops();
  }

  use(session: ModelSession): void {
    this.#session = session;
    const { scores, domain } = session.manifest;
    this.#panel.hidden = scores.length === 0 || !domain?.image;
    this.#centreField.hidden = domain?.image?.channels !== 1;
    this.#clear();
  }

  /** Scores one row of the samples, exactly as it was drawn. */
  take(samples: Samples, row: number): void {
    const [, ...shape] = samples.data.shape;
    const size = shape.reduce((product, length) => product * length, 1);
    this.#given = float32([1, ...shape], Float32Array.from(samples.data.data.subarray(row * size, (row + 1) * size)));
    this.#pad.show(toCanvas(this.#given));
    void this.score();
  }

  /** Scores what is on the pad. Again after a switch of place. */
  async score(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    this.#stop();
    const running = new AbortController();
    this.#running = running;
    const { signal } = running;
    try {
      const row = this.#given ?? this.#drawn(session);
      const place = this.#events.place();
      const generator = await session.at(place);
      const start = performance.now();
      const [[result], reconstruction] = await Promise.all([
        generator.anomaly(row, { map: true, signal }),
        session.hasOperation('reconstruct') ? generator.reconstruct(row, { seed: 0, signal }) : undefined,
      ]);
      const tookMs = performance.now() - start;
      if (signal.aborted || !result?.scores[0]) return;
      if (reconstruction) {
        toCanvas(reconstruction.data, { canvas: this.#reconstruction });
        this.#reconstruction.setAttribute('aria-label', 'What the model makes of it');
      }
      this.#showHeat(result.map, row);
      this.#showVerdict(result.scores[0], place, tookMs);
      this.#events.onScored({ kind: 'anomaly', place, png: await pngOf(row) });
    } catch (error) {
      const failure = GenserveError.from(error);
      if (failure.reason !== 'CANCELLED' && !signal.aborted) this.#say(`${failure.message} (${failure.reason})`);
    }
  }

  #drawn({ manifest }: ModelSession): Tensor {
    const image = manifest.domain?.image;
    if (image?.channels !== 1) return fromPixels(this.#pad.pixels, manifest, { fit: 'contain' });
    if (!this.#centre.checked)
      return fromPixels(this.#pad.pixels, manifest, { fit: 'contain', invert: isInverted(image.polarity) });
    const { data } = centreDigit(this.#pad.grey, image.width, image.height);
    const inked = isInverted(image.polarity) ? data.map(value => 1 - value) : data;
    return float32([1, image.height, image.width, 1], inked);
  }

  async #open(file: Blob): Promise<void> {
    const session = this.#session;
    if (!session) return;
    try {
      const bitmap = await createImageBitmap(file);
      const canvas = document.createElement('canvas');
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
      const context = context2d(canvas);
      context.drawImage(bitmap, 0, 0);
      const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
      this.#given = fromPixels(pixels, session.manifest, fitOf(pixels, session.manifest.domain?.image?.polarity ?? ''));
      this.#pad.show(toCanvas(this.#given));
      await this.score();
    } catch {
      this.#say('This file is not a picture that the browser can read.');
    }
  }

  #acceptDrops(): void {
    const drop = element('drop', HTMLElement);
    drop.addEventListener('dragover', event => {
      event.preventDefault();
      drop.classList.add('over');
    });
    drop.addEventListener('dragleave', () => drop.classList.remove('over'));
    drop.addEventListener('drop', event => {
      event.preventDefault();
      drop.classList.remove('over');
      const [file] = event.dataTransfer?.files ?? [];
      if (file) void this.#open(file);
    });
  }

  #showHeat(map: Tensor | undefined, row: Tensor): void {
    if (!map) return;
    const [height = 0, width = 0] = map.shape;
    const [, , , channels = 1] = row.shape;
    const grey = Float32Array.from({ length: width * height }, (_, i) => row.data[i * channels] ?? 0);
    this.#heat.width = width;
    this.#heat.height = height;
    context2d(this.#heat).putImageData(new ImageData(heatPixels(map.data, grey), width, height), 0, 0);
    this.#heat.setAttribute('aria-label', 'Heat map: brighter where the picture is less likely');
  }

  #showVerdict(score: AnomalyScore, place: Place, tookMs: number): void {
    const { manifest } = this.#session!; // only called by `score`, which has one
    this.#say(verdict(score, nounOf(manifest)), score.decision);
    const count = manifest.scores.find(({ name }) => name === score.name)?.calibration?.count ?? 0;
    const where = place === 'browser' ? 'in this browser' : 'on the server';
    this.#figures.textContent = [
      `${score.name} ${score.value.toFixed(1)} ${score.unit}`,
      ...(score.pValue === undefined
        ? []
        : [`p = ${score.pValue.toPrecision(2)} against ${count.toLocaleString('en')} held-out ${nounOf(manifest)}`]),
      `${milliseconds(tookMs)} ${where}`,
    ].join(' · ');
    this.#scale.hidden = score.pValue === undefined;
    this.#mark.style.left = `${(1 - (score.pValue ?? 0)) * 100}%`;
  }

  #say(words: string, decision = ''): void {
    this.#words.textContent = words;
    this.#words.dataset.decision = decision;
  }

  /** Nothing under way or put off may speak after this. */
  #stop(): void {
    this.#settle.cancel();
    this.#running?.abort();
  }

  #clear(): void {
    this.#stop();
    this.#given = undefined;
    this.#pad.clear();
    for (const canvas of [this.#reconstruction, this.#heat]) {
      context2d(canvas).clearRect(0, 0, canvas.width, canvas.height);
    }
    this.#reconstruction.setAttribute('aria-label', 'No reconstruction yet');
    this.#heat.setAttribute('aria-label', 'No heat map yet');
    this.#say(WAITING);
    this.#figures.textContent = '';
    this.#scale.hidden = true;
  }
}

function isInverted(polarity: string): boolean {
  return polarity === 'dark-on-light';
}

/** A picture whose edge is light is one of dark strokes: it is inverted where the model knows light ones. */
function fitOf({ width, height, data }: ImageData, polarity: string): FitOptions {
  let [sum, count] = [0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (x > 0 && y > 0 && x < width - 1 && y < height - 1) continue;
      sum += data[(y * width + x) * 4] ?? 0;
      count++;
    }
  }
  const isLight = sum / count > 127;
  return { fit: 'contain', invert: polarity === '' ? false : isLight !== isInverted(polarity) };
}

async function pngOf(row: Tensor): Promise<string> {
  const bytes = new Uint8Array(await (await toBlob(row)).arrayBuffer());
  return btoa(String.fromCharCode(...bytes));
}
