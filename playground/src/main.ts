// Starts the page: the gallery of models, and the views of the one that is picked, by the address: #/<model>/<view>.
import { GenserveError, listModels, type ModelSummary } from '@genserve/sdk';
import { showCard } from './card.js';
import { CodePanel } from './code.js';
import { element } from './elements.js';
import { ExplorePanel } from './explore.js';
import { showGallery } from './gallery.js';
import { PaintPanel } from './paint.js';
import type { Panel, PanelContext, View } from './panel.js';
import { PlaceBar } from './place.js';
import { SamplingPanel } from './sampling.js';
import { ScorePanel } from './score.js';
import { ModelSession } from './session.js';
import { TranslatePanel } from './translate.js';

/** The server that this page came from. */
const server = new URL('.', location.href).href.replace(/\/$/, '');
const POLL_MS = 1000;
const picker = element('model', HTMLSelectElement);
const notice = element('notice', HTMLElement);
const views = element('views', HTMLElement);

let models: readonly ModelSummary[] = [];
let session: ModelSession | undefined;
let shown: Panel | undefined;

const code = new CodePanel();
const context: PanelContext = {
  places: new PlaceBar(() => shown?.refresh()),
  onDone(topic) {
    if (session) code.show(topic, { server, model: session.manifest.name, bundleUrl: session.remote.bundleUrl });
  },
};
const paint = new PaintPanel(context);
const score = new ScorePanel(context);
const picks = [
  { title: 'Is it normal?', view: 'score', take: score.take.bind(score) },
  { title: 'Erase and complete', view: 'paint', take: paint.take.bind(paint) },
] as const;
const panels: readonly Panel[] = [
  new SamplingPanel(context, picks, ({ view }) => {
    history.pushState(undefined, '', addressOf(session?.manifest.name ?? '', view));
    show(view);
  }),
  new ExplorePanel(context),
  paint,
  new TranslatePanel(context),
  score,
];

function addressOf(model: string, view: View): string {
  return `#/${model}/${view}`;
}

function complain(error: unknown): void {
  const { message, reason } = GenserveError.from(error);
  notice.textContent = `${message} (${reason})`;
  notice.hidden = false;
}

/** Shows what the address names: the gallery, or a view of a model. */
async function go(): Promise<void> {
  const [model = '', view = ''] = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  notice.hidden = true;
  element('gallery', HTMLElement).hidden = model !== '';
  element('model-view', HTMLElement).hidden = model === '';
  element('picker', HTMLElement).hidden = model === '';
  document.title = model === '' ? 'genserve playground' : `${model} · genserve playground`;
  if (model === '') {
    showGallery(models, server);
    return;
  }
  picker.value = model;
  try {
    if (session?.manifest.name !== model) await use(model);
    show(view);
    shown?.refresh();
  } catch (error) {
    element('card-name', HTMLElement).textContent = model;
    complain(error);
  }
}

async function use(model: string): Promise<void> {
  const before = session;
  session = undefined;
  shown = undefined;
  try {
    const next = await ModelSession.open(server, model);
    const offered = panels.filter(panel => panel.supports(next));
    next.views = offered.map(({ view }) => view);
    session = next;
    showCard(next.manifest);
    for (const panel of offered) panel.use(next);
    views.replaceChildren(
      ...offered.map(({ view, title }) => {
        const link = document.createElement('a');
        link.href = addressOf(model, view);
        link.textContent = title;
        link.dataset.view = view;
        link.dataset.testid = `view-${view}`;
        return link;
      }),
    );
  } finally {
    await before?.close();
  }
}

/** Brings a view into sight, or the first that the model has. */
function show(view: string): void {
  const panel = panels.find(candidate => candidate.view === view && session?.views.includes(candidate.view));
  shown = panel ?? panels.find(candidate => session?.views.includes(candidate.view));
  context.places.reset();
  for (const section of document.querySelectorAll<HTMLElement>('section[data-view]'))
    section.hidden = section.dataset.view !== shown?.view;
  for (const link of views.querySelectorAll('a')) {
    if (link.dataset.view === shown?.view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
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
    const found = await listModels(server);
    if (found.some(({ state }) => state === 'ready')) return found;
    if (!found.some(({ state }) => state === 'loading')) throw noModel(found);
    await new Promise(resolve => setTimeout(resolve, POLL_MS));
  }
}

function noModel([first]: readonly ModelSummary[]): GenserveError {
  return first
    ? new GenserveError('MODEL_UNAVAILABLE', `${first.name} cannot be used: ${first.reason}`)
    : new GenserveError('MODEL_NOT_FOUND', 'This server has no model yet: train one with `genserve train`');
}

async function start(): Promise<void> {
  try {
    models = await readyModels();
    picker.replaceChildren(...models.map(option));
    picker.addEventListener('change', () => {
      location.hash = `#/${picker.value}`;
    });
    addEventListener('hashchange', () => void go());
    await go();
  } catch (error) {
    element('gallery', HTMLElement).hidden = false;
    complain(error);
  }
}

void start();
