// The score view: a drawing, a dropped picture or a sample, its reconstruction, its likelihood, every score in words,
// where among normal scores it lies, and where in it the surprise is.
import {
  type AnomalyScore,
  type ClientGenerator,
  float32,
  fromPixels,
  type Likelihoods,
  labelNames,
  normalScores,
  type Samples,
  type Tensor,
  toCanvas,
} from '@genserve/sdk';
import { centreDigit } from './digit.js';
import { showDistribution } from './distribution.js';
import { context2d, debounced, element } from './elements.js';
import { heatPixels } from './heat.js';
import { Pad } from './pad.js';
import { Latest, type Panel, type PanelContext } from './panel.js';
import { acceptPictures, isInverted, pngOf, readPicture, rowOf } from './picture.js';
import type { ModelSession } from './session.js';
import type { Place } from './snippets.js';
import { figure, inWords, milliseconds, nounOf, verdict } from './words.js';

const SETTLE_MS = 150;
const WAITING = 'Waiting for a picture.';
/** Importance samples of a likelihood that is a bound. */
const DRAWS = 16;

export class ScorePanel implements Panel {
  readonly view = 'score';
  readonly title = 'Score';
  readonly #context: PanelContext;
  readonly #pad: Pad;
  readonly #centre = element('centre', HTMLInputElement);
  readonly #label = element('score-label', HTMLSelectElement);
  readonly #reconstruction = element('reconstruction', HTMLCanvasElement);
  readonly #heat = element('heat', HTMLCanvasElement);
  readonly #words = element('verdict-words', HTMLElement);
  readonly #figures = element('verdict-figures', HTMLElement);
  readonly #likelihood = element('likelihood', HTMLElement);
  readonly #distribution = element('distribution', HTMLElement);
  readonly #scores = element('scores', HTMLTableElement);
  readonly #settle = debounced(() => void this.score(), SETTLE_MS);
  readonly #latest = new Latest(message => this.#say(message));
  #session: ModelSession | undefined;
  /** The row that is scored, where it did not come from the pad's pixels. */
  #given: Tensor | undefined;
  #isEmpty = true;
  #nextSeed = 1000;

  constructor(context: PanelContext) {
    this.#context = context;
    this.#pad = new Pad(() => {
      this.#given = undefined;
      this.#isEmpty = false;
      this.#settle.schedule();
    });
    for (const control of [this.#centre, this.#label])
      control.addEventListener('change', () => this.#isEmpty || this.#settle.schedule());
    element('clear', HTMLButtonElement).addEventListener('click', () => this.#clear());
    element('take-sample', HTMLButtonElement).addEventListener('click', () => void this.#sample());
    acceptPictures('file', 'drop', file => void this.#open(file));
  }

  supports({ manifest }: ModelSession): boolean {
    return manifest.domain?.image !== undefined && (manifest.scores.length > 0 || hasLikelihood(manifest));
  }

  use(session: ModelSession): void {
    this.#session = session;
    element('centre-field', HTMLElement).hidden = session.manifest.domain?.image?.channels !== 1;
    element('reconstruction-tile', HTMLElement).hidden = !session.hasOperation('reconstruct');
    element('heat-tile', HTMLElement).hidden = !session.hasOperation('log_prob_map');
    const label = session.portOf('log_prob', 'label');
    element('score-label-field', HTMLElement).hidden = !label;
    // A model that has no default for the label must be told which.
    const any = label?.default === undefined ? [] : [new Option('any', '')];
    const names = labelNames(session.manifest).map((name, index) => new Option(name, String(index)));
    this.#label.replaceChildren(...(label ? [...any, ...names] : []));
    this.#clear();
  }

  refresh(): void {
    if (!this.#isEmpty) void this.score();
  }

  /** Scores one row of samples, exactly as it was drawn. */
  take(samples: Samples, row: number): void {
    this.#begin(rowOf(samples, row));
  }

  /** Scores what is on the pad. */
  async score(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    this.#settle.cancel();
    await this.#latest.run(async signal => {
      const row = this.#given ?? this.#drawn(session);
      const { places } = this.#context;
      const { place } = places;
      const { result, tookMs } = await places.run(session, signal, 1, generator =>
        this.#ask(generator, session, row, signal),
      );
      if (signal.aborted) return;
      const { anomaly, reconstruction, likelihoods } = result;
      if (reconstruction) {
        toCanvas(reconstruction.data, { canvas: this.#reconstruction });
        this.#reconstruction.setAttribute('aria-label', 'What the model makes of it');
      }
      this.#showHeat(anomaly?.map, row);
      this.#showLikelihood(likelihoods);
      if (anomaly) await this.#showScores(session, anomaly.scores, place, tookMs, signal);
      if (!anomaly) this.#say('This model has a likelihood, and no calibrated score.');
      if (!signal.aborted) this.#context.onDone({ kind: 'anomaly', place, png: await pngOf(row) });
    });
  }

  /** Everything that the model says of one row, asked at once. */
  async #ask(generator: ClientGenerator, session: ModelSession, row: Tensor, signal: AbortSignal) {
    // The page has a label for likelihoods alone: to score by it, the data would have to be of one of the classes.
    const scores = session.manifest.scores.filter(({ usesLabel }) => !usesLabel);
    const label = this.#label.value === '' ? undefined : Number(this.#label.value);
    const [anomalies, reconstruction, likelihoods] = await Promise.all([
      scores.length > 0
        ? generator.anomaly(row, { scores: scores.map(({ name }) => name), map: true, signal })
        : undefined,
      session.hasOperation('reconstruct') ? generator.reconstruct(row, { seed: 0, signal }) : undefined,
      hasLikelihood(session.manifest) ? generator.logLikelihood(row, { draws: DRAWS, label, signal }) : undefined,
    ]);
    return { anomaly: anomalies?.[0], reconstruction, likelihoods };
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

  async #sample(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    await this.#latest.run(async signal => {
      const generator = await session.at(this.#context.places.place);
      const samples = await generator.sample({ count: 1, seed: this.#nextSeed++, signal });
      if (!signal.aborted) this.#begin(samples.data);
    });
  }

  async #open(file: Blob): Promise<void> {
    if (!this.#session) return;
    try {
      this.#begin(await readPicture(file, this.#session.manifest));
    } catch {
      this.#say('This file is not a picture that the browser can read.');
    }
  }

  #begin(row: Tensor): void {
    this.#given = row;
    this.#isEmpty = false;
    this.#pad.show(toCanvas(row));
    void this.score();
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

  #showLikelihood(likelihoods: Likelihoods | undefined): void {
    if (!likelihoods) return;
    const { logProb, bitsPerDim, standardError, estimator, draws } = likelihoods;
    const nats = logProb[0]?.toFixed(1);
    const bits = `${bitsPerDim[0]?.toFixed(3)} bits per pixel`;
    this.#likelihood.textContent =
      estimator === 'exact'
        ? `Likelihood: log p(x) = ${nats} nats, ${bits}, exactly.`
        : `Likelihood: log p(x) is at least ${nats} nats (± ${standardError[0]?.toFixed(1)}, ${draws} draws), ${bits}.`;
  }

  async #showScores(
    { manifest, remote }: ModelSession,
    scores: readonly AnomalyScore[],
    place: Place,
    tookMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const main = scores.find(({ recommended }) => recommended) ?? scores[0];
    if (!main) return;
    const noun = nounOf(manifest);
    const table = main.pValue === undefined ? undefined : await normalScores(remote.bundleUrl, manifest, main.name);
    if (signal.aborted) return;
    this.#say(verdict(main, noun), main.decision);
    this.#figures.textContent = [
      `${main.name} ${figure(main.value)} ${main.unit}`,
      ...(main.pValue === undefined
        ? []
        : [`p = ${main.pValue.toPrecision(2)} against ${table?.length.toLocaleString('en')} held-out ${noun}`]),
      `${milliseconds(tookMs)} ${place === 'browser' ? 'on this device' : 'on the server'}`,
    ].join(' · ');
    this.#distribution.hidden = !table;
    if (table) showDistribution(this.#distribution, table, main, noun);
    this.#scores.hidden = scores.length < 2;
    element('scores-body', HTMLElement).replaceChildren(
      ...scores.map(score => {
        const line = document.createElement('tr');
        line.dataset.decision = score.decision;
        const name = document.createElement('th');
        name.scope = 'row';
        name.textContent = score.recommended ? `${score.name} (recommended)` : score.name;
        const cells = [`${figure(score.value)} ${score.unit}`, inWords(score, noun)].map(text => {
          const cell = document.createElement('td');
          cell.textContent = text;
          return cell;
        });
        line.append(name, ...cells);
        return line;
      }),
    );
  }

  #say(words: string, decision = ''): void {
    this.#words.textContent = words;
    this.#words.dataset.decision = decision;
  }

  #clear(): void {
    this.#settle.cancel();
    this.#latest.stop();
    this.#given = undefined;
    this.#isEmpty = true;
    this.#pad.clear();
    for (const canvas of [this.#reconstruction, this.#heat]) {
      context2d(canvas).clearRect(0, 0, canvas.width, canvas.height);
    }
    this.#reconstruction.setAttribute('aria-label', 'No reconstruction yet');
    this.#heat.setAttribute('aria-label', 'No heat map yet');
    this.#say(WAITING);
    this.#figures.textContent = '';
    this.#likelihood.textContent = '';
    this.#distribution.hidden = true;
    this.#scores.hidden = true;
  }
}

function hasLikelihood({ likelihood }: ModelSession['manifest']): boolean {
  return likelihood !== undefined && likelihood.kind !== 'none';
}
