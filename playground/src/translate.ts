// Image translation: a picture of one kind before, and of another after.
import { type Tensor, toCanvas } from '@genserve/sdk';
import { debounced, element } from './elements.js';
import { Latest, type Panel, type PanelContext } from './panel.js';
import { acceptPictures, pngOf, readPicture } from './picture.js';
import type { ModelSession } from './session.js';
import { milliseconds } from './words.js';

const SETTLE_MS = 120;

export class TranslatePanel implements Panel {
  readonly view = 'translate';
  readonly title = 'Translate';
  readonly #context: PanelContext;
  readonly #source = element('translate-source', HTMLCanvasElement);
  readonly #result = element('translate-result', HTMLCanvasElement);
  readonly #strength = element('strength', HTMLInputElement);
  readonly #strengthField = element('strength-field', HTMLElement);
  readonly #backward = element('backward', HTMLInputElement);
  readonly #status = element('translate-status', HTMLElement);
  readonly #latest = new Latest(message => this.#say(message));
  #session: ModelSession | undefined;
  #picture: Tensor | undefined;

  constructor(context: PanelContext) {
    this.#context = context;
    acceptPictures('translate-file', 'translate-drop', file => void this.#open(file));
    const { schedule } = debounced(() => this.refresh(), SETTLE_MS);
    this.#strength.addEventListener('input', schedule);
    this.#backward.addEventListener('change', schedule);
  }

  supports(session: ModelSession): boolean {
    return session.hasOperation('translate') && session.manifest.domain?.image !== undefined;
  }

  use(session: ModelSession): void {
    this.#latest.stop();
    this.#session = session;
    this.#picture = undefined;
    const translate = session.manifest.operations.find(({ name }) => name === 'translate');
    this.#strengthField.hidden = !translate?.inputs.some(({ role }) => role === 'strength');
    element('backward-field', HTMLElement).hidden = !session.hasOperation('translate_back');
  }

  refresh(): void {
    void this.#translate();
  }

  async #open(file: Blob): Promise<void> {
    if (!this.#session) return;
    try {
      this.#picture = await readPicture(file, this.#session.manifest);
      toCanvas(this.#picture, { canvas: this.#source });
      this.#source.setAttribute('aria-label', 'The picture that was chosen');
      this.refresh();
    } catch {
      this.#say('This file is not a picture that the browser can read.');
    }
  }

  async #translate(): Promise<void> {
    const [session, picture] = [this.#session, this.#picture];
    if (!session || !picture) return;
    element('strength-value', HTMLOutputElement).textContent = Number(this.#strength.value).toFixed(2);
    await this.#latest.run(async signal => {
      const strength = this.#strengthField.hidden ? undefined : Number(this.#strength.value);
      const backward = this.#backward.checked;
      const { places } = this.#context;
      const { place } = places;
      const { result, tookMs } = await places.run(session, signal, 1, generator =>
        generator.translate(picture, { strength, backward, seed: 0, signal }),
      );
      if (signal.aborted) return;
      toCanvas(result.data, { canvas: this.#result });
      this.#result.setAttribute('aria-label', 'The picture, translated');
      this.#say(`Translated in ${milliseconds(tookMs)} ${place === 'browser' ? 'on this device' : 'on the server'}.`);
      this.#context.onDone({ kind: 'translate', place, png: await pngOf(picture), strength, backward });
    });
  }

  #say(message: string): void {
    this.#status.textContent = message;
  }
}
