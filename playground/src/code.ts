// The code panel: three tabs that follow what was last done, and a copy button.
import { element } from './elements.js';
import { type Language, snippet, type Target, type Topic } from './snippets.js';

const LANGUAGES: readonly Language[] = ['curl', 'typescript', 'python'];
const COPIED_MS = 1500;

export class CodePanel {
  readonly #code = element('snippet-code', HTMLElement);
  readonly #panel = element('snippet', HTMLElement);
  readonly #copy = element('copy', HTMLButtonElement);
  readonly #tabs = LANGUAGES.map(language => element(`tab-${language}`, HTMLButtonElement));
  #language: Language = 'curl';
  #shown: { readonly topic: Topic; readonly target: Target } | undefined;

  constructor() {
    this.#tabs.forEach((tab, index) => {
      tab.addEventListener('click', () => this.#select(index));
      tab.addEventListener('keydown', event => {
        const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
        if (step === 0) return;
        const next = (index + step + LANGUAGES.length) % LANGUAGES.length;
        this.#select(next);
        this.#tabs[next]?.focus();
      });
    });
    this.#copy.addEventListener('click', () => void this.#copyCode());
  }

  show(topic: Topic, target: Target): void {
    this.#shown = { topic, target };
    this.#code.textContent = snippet(this.#language, topic, target);
  }

  #select(selected: number): void {
    this.#tabs.forEach((tab, index) => {
      tab.setAttribute('aria-selected', String(index === selected));
      tab.tabIndex = index === selected ? 0 : -1;
    });
    this.#language = LANGUAGES[selected] ?? 'curl';
    this.#panel.setAttribute('aria-labelledby', `tab-${this.#language}`);
    if (this.#shown) this.show(this.#shown.topic, this.#shown.target);
  }

  async #copyCode(): Promise<void> {
    const text = this.#code.textContent ?? '';
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without a secure context there is no clipboard: the text is selected, for the reader to copy.
      getSelection()?.selectAllChildren(this.#code);
      return;
    }
    this.#copy.textContent = 'Copied';
    setTimeout(() => {
      this.#copy.textContent = 'Copy';
    }, COPIED_MS);
  }
}
