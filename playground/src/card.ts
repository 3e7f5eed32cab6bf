// What a model is, in a glance: family and paper, likelihood, size, data, licence.
import type { Manifest } from '@genserve/sdk';
import { element } from './elements.js';
import { bytes, largeNumber } from './words.js';

/** Figures and their names, in the order in which they are shown; what a manifest does not say is left out. */
function factsOf(manifest: Manifest): readonly (readonly [string, string])[] {
  const { family, provenance, operations, files, licence, variants } = manifest;
  const nll = provenance?.metrics['test.nll_nats'];
  const parameters = Math.max(0, ...operations.map(operation => operation.cost?.parameters ?? 0));
  // What a browser loads: the half-precision variant where there is one.
  const folder = variants.some(({ name }) => name === 'float16') ? 'float16/' : '';
  const isLoaded = new RegExp(`^${folder}([^/]+\\.onnx|weights\\.bin)$`);
  const size = files.filter(({ path }) => isLoaded.test(path)).reduce((sum, file) => sum + file.bytes, 0);
  const facts: (readonly [string, string | undefined])[] = [
    ['Family', family?.name],
    ['Test NLL', nll === undefined ? undefined : `${nll.toFixed(1)} nats`],
    ['Parameters', parameters > 0 ? largeNumber(parameters) : undefined],
    ['Download', bytes(size)],
    ['Trained on', provenance?.dataset],
    ['Version', String(manifest.version)],
    ['Licence', licence?.model],
  ];
  const known = facts.filter((fact): fact is readonly [string, string] => Boolean(fact[1]));
  // Six fill two rows of three, or three of two on a phone.
  return known.length > 6 ? known.filter(([name]) => name !== 'Licence') : known;
}

export function showCard(manifest: Manifest): void {
  element('card-name', HTMLElement).textContent = manifest.name;
  element('card-description', HTMLElement).textContent = manifest.description;
  const paper = element('card-paper', HTMLAnchorElement);
  paper.textContent = manifest.family?.paper ?? '';
  const url = manifest.family?.url ?? '';
  if (/^https?:\/\//.test(url)) paper.href = url;
  else paper.removeAttribute('href');
  element('card-facts', HTMLElement).replaceChildren(
    ...factsOf(manifest).map(([name, value]) => {
      const fact = document.createElement('div');
      const term = document.createElement('dt');
      const description = document.createElement('dd');
      term.textContent = name;
      description.textContent = value;
      fact.append(term, description);
      return fact;
    }),
  );
}
