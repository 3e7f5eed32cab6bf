// `node scripts/layers-figure.mjs`: docs/results/autoregressive-layers.json as two charts, to be laid beside figure 2.4 of
// the thesis: likelihood over the number of autoregressive layers, and what of it the code costs.
import { readFileSync, writeFileSync } from 'node:fs';
import { root } from './setup.mjs';

const panel = { width: 460, height: 320, left: 56, right: 20, top: 44, bottom: 48 };
const colours = { PixelVAE: '#3567b0', PixelCNN: '#c2571a', reconstruction: '#3a8f5c', KL: '#8b4aa0' };
/** Above this nothing is of interest: independent pixels without a code. */
const greatest = 130;

const { metrics, command, commit } = JSON.parse(readFileSync(`${root}docs/results/autoregressive-layers.json`, 'utf8'));

/** Points [layers, nats] of the metrics `<prefix>-<layers>.<figure>`. */
function series(prefix, figure) {
  const pattern = new RegExp(`^${prefix}-(\\d+)\\.${figure.replaceAll('.', '\\.')}$`);
  return Object.entries(metrics)
    .flatMap(([name, value]) => (pattern.test(name) ? [[Number(pattern.exec(name)[1]), value]] : []))
    .sort(([a], [b]) => a - b);
}

/** One panel at x = `offset`: named lines over the number of layers. */
function chart(title, lines, offset) {
  const { width, height, left, right, top, bottom } = panel;
  const points = lines.flatMap(([, each]) => each);
  const most = Math.max(...points.map(([layers]) => layers));
  const values = points.map(([, value]) => value).filter(value => value <= greatest);
  const [low, high] = [Math.floor(Math.min(...values) / 5) * 5, Math.ceil(Math.max(...values) / 5) * 5];
  const x = layers => left + (layers / most) * (width - left - right);
  const y = value => height - bottom - ((value - low) / (high - low)) * (height - top - bottom);
  const grid = Array.from({ length: 6 }, (_, i) => low + (i * (high - low)) / 5).map(
    value =>
      `<line x1="${left}" x2="${width - right}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>` +
      `<text x="${left - 8}" y="${y(value) + 4}" text-anchor="end">${value}</text>`,
  );
  const marks = [...new Set(points.map(([layers]) => layers))].map(
    layers => `<text x="${x(layers)}" y="${height - bottom + 20}" text-anchor="middle">${layers}</text>`,
  );
  const drawn = lines.map(([name, all]) => {
    const shown = all.filter(([, value]) => value <= greatest);
    const hidden = all
      .filter(([, value]) => value > greatest)
      .map(([layers, value]) => `${value.toFixed(0)} at ${layers}`);
    const path = shown.map(([layers, value]) => `${x(layers).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
    const dots = shown.map(([layers, value]) => `<circle cx="${x(layers)}" cy="${y(value)}" r="4"/>`).join('');
    const note = hidden.length > 0 ? ` (${hidden.join(', ')})` : '';
    // where no line falls steeply
    const [layers, nats] = shown.at(-2);
    return (
      `<g fill="${colours[name]}"><polyline points="${path}" fill="none" stroke="${colours[name]}" stroke-width="2"/>${dots}` +
      `<text x="${x(layers) + 8}" y="${y(nats) - 8}">${name}${note}</text></g>`
    );
  });
  return (
    `<g transform="translate(${offset} 0)"><text x="${left}" y="22" font-weight="bold">${title}</text>${grid.join('')}` +
    `${marks.join('')}<text x="${(left + width - right) / 2}" y="${height - 8}" text-anchor="middle">autoregressive layers</text>` +
    `${drawn.join('')}</g>`
  );
}

const likelihood = chart(
  'Test negative log-likelihood, nats',
  [
    ['PixelVAE', series('layers-pixelvae', 'test.nll_nats')],
    ['PixelCNN', series('layers-pixelcnn', 'test.nll_nats')],
  ],
  0,
);
const parts = chart(
  "PixelVAE's bound in parts, nats",
  [
    ['reconstruction', series('layers-pixelvae', 'test.reconstruction_nats')],
    ['KL', series('layers-pixelvae', 'test.kl_nats')],
  ],
  panel.width,
);
const captions = [
  `${command} at ${commit}`,
  'The thesis, figure 2.4: PixelVAE ahead with fewer than 10 layers; the sharpest drop in KL from none to one.',
];
const path = `${root}docs/results/autoregressive-layers.svg`;
writeFileSync(
  path,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${2 * panel.width} ${panel.height + 40}" font-family="sans-serif" font-size="12" fill="#333">` +
    `<rect width="100%" height="100%" fill="#fff"/>${likelihood}${parts}` +
    captions
      .map((line, i) => `<text x="${panel.left}" y="${panel.height + 14 + 15 * i}" font-size="11">${line}</text>`)
      .join('') +
    '</svg>\n',
);
console.log(path);
