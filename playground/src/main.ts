// Starts the page: the list of models, and the panels that use the one that is picked.
import { GenserveError, listModels, type ModelSummary } from '@genserve/sdk';
import { AnomalyPanel } from './anomaly.js';
import { showCard } from './card.js';
import { CodePanel } from './code.js';
import { element } from './elements.js';
import { SamplingPanel } from './sampling.js';
import { ModelSession } from './session.js';
import type { Topic } from './snippets.js';

/** The server that this page came from. */
const server = new URL('.', location.href).href.replace(/\/$/, '');
const POLL_MS = 1000;
const picker = element('model', HTMLSelectElement);
const notice = element('notice', HTMLElement);

let session: ModelSession | undefined;
let taken = 0;

const code = new CodePanel();
const sampling = new SamplingPanel({
  onSamples(_samples, topic) {
    taken = 0;
    showCode(topic);
  },
  onPick(samples, row) {
    anomaly.take(samples, row);
    taken = row + 1;
    element('anomaly', HTMLElement).scrollIntoView();
  },
});
const anomaly = new AnomalyPanel({
  place: () => sampling.place,
  nextSample() {
    const { samples } = sampling;
    if (!samples) return undefined;
    const row = taken++ % (samples.data.shape[0] ?? 1);
    return [samples, row];
  },
  onScored: showCode,
});

function showCode(topic: Topic): void {
  if (!session) return;
  code.show(topic, { server, model: session.manifest.name, bundleUrl: session.remote.bundleUrl });
}

function complain(error: unknown): void {
  const { message, reason } = GenserveError.from(error);
  notice.textContent = `${message} (${reason})`;
  notice.hidden = false;
}

async function use(model: string): Promise<void> {
  notice.hidden = true;
  const before = session;
  try {
    session = await ModelSession.open(server, model);
    showCard(session.manifest);
    anomaly.use(session);
    await sampling.use(session);
  } catch (error) {
    complain(error);
  } finally {
    await before?.close();
  }
}

function option({ name, state, reason }: ModelSummary): HTMLOptionElement {
  const item = new Option(state === 'ready' ? name : `${name} (${state})`, name);
  item.disabled = state === 'unavailable';
  item.title = reason;
  return item;
}

/** The list once one of its models can be used; models become ready one after another when a server starts. */
async function readyModels(): Promise<readonly ModelSummary[]> {
  for (;;) {
    const models = await listModels(server);
    if (models.some(({ state }) => state === 'ready')) return models;
    if (!models.some(({ state }) => state === 'loading')) throw noModel(models);
    element('card-name', HTMLElement).textContent = 'Loading …';
    await new Promise(resolve => setTimeout(resolve, POLL_MS));
  }
}

function noModel(models: readonly ModelSummary[]): GenserveError {
  const [first] = models;
  return first
    ? new GenserveError('MODEL_UNAVAILABLE', `${first.name} cannot be used: ${first.reason}`)
    : new GenserveError('MODEL_NOT_FOUND', 'This server has no model yet: train one with `genserve train`');
}

async function start(): Promise<void> {
  try {
    const models = await readyModels();
    const asked = new URLSearchParams(location.search).get('model');
    const usable = models.filter(({ state }) => state !== 'unavailable');
    const first = usable.find(({ name }) => name === asked) ?? models.find(({ state }) => state === 'ready');
    picker.replaceChildren(...models.map(option));
    picker.value = first?.name ?? '';
    picker.addEventListener('change', () => void use(picker.value));
    await use(picker.value);
  } catch (error) {
    element('card-name', HTMLElement).textContent = 'No model';
    complain(error);
  }
}

void start();
