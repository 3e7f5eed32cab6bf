// The gallery: a card for each model of the server, with pictures that it drew and what can be done with it.
import type { ModelSummary } from '@genserve/sdk';
import { element } from './elements.js';

/** What people would say of an operation; others go without saying. */
const ABILITIES: Readonly<Record<string, string>> = {
  sample: 'samples',
  decode: 'latent space',
  complete: 'in-painting',
  translate: 'translation',
  log_prob: 'likelihood',
};

export function showGallery(models: readonly ModelSummary[], server: string): void {
  element('models', HTMLUListElement).replaceChildren(...models.map(model => cardOf(model, server)));
}

function cardOf({ name, versions, family, description, state, reason, operations }: ModelSummary, server: string) {
  const item = document.createElement('li');
  const isReady = state === 'ready';
  const card = document.createElement(isReady ? 'a' : 'div');
  card.className = 'model';
  card.dataset.testid = `model-${name}`;
  if (card instanceof HTMLAnchorElement) card.href = `#/${name}`;
  const picture = document.createElement('img');
  picture.alt = '';
  picture.loading = 'lazy';
  picture.src = `${server}/bundles/${name}/${Math.max(...versions)}/preview.png`;
  // A bundle need not have a preview.
  picture.addEventListener('error', () => picture.remove());
  const frame = part('div', 'model-picture', '');
  frame.append(picture);
  const tags = part('p', 'tags', '');
  const abilities = operations.map(operation => ABILITIES[operation]).filter(ability => ability !== undefined);
  tags.append(...abilities.map(ability => part('span', 'tag', ability)));
  card.append(
    frame,
    part('h2', '', name),
    part('p', 'family', isReady ? family : `${state}${reason && `: ${reason}`}`),
    part('p', 'model-description', description),
    tags,
  );
  item.append(card);
  return item;
}

function part(tag: string, className: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
