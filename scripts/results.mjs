// `npm run results`: one table of every criterion at full size, its bar and its figure, from docs/results/*.json.
// `npm run results -- --write` puts it into docs/results/README.md, which `npm test` compares with the files.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { root } from './setup.mjs';

const folder = `${root}docs/results`;

function holds(figure, bar) {
  const [relation, text] = bar.split(' ');
  const bound = Number(text);
  if (relation === '<') return figure < bound;
  if (relation === '<=') return figure <= bound;
  if (relation === '>') return figure > bound;
  if (relation === '>=') return figure >= bound;
  if (relation === '=') return figure === bound;
  throw new Error(`docs/results/criteria.json: no relation in the bar "${bar}"; one of <, <=, >, >=, = and a number`);
}

function row({ criterion, result, metric, bar }) {
  const file = `${folder}/${result}.json`;
  if (!existsSync(file)) return `| ${criterion} | ${bar} | | missing |`;
  const { metrics, commit, command } = JSON.parse(readFileSync(file, 'utf8'));
  const figure = metrics[metric];
  if (figure === undefined) return `| ${criterion} | ${bar} | | missing |`;
  const verdict = holds(figure, bar) ? 'met' : '**missed**';
  return `| ${criterion} | ${bar} | [${Number(figure.toPrecision(5))}](${result}.json) | ${verdict}, \`${command}\` at ${commit} |`;
}

/** The Markdown of docs/results/README.md. */
export function table() {
  const criteria = JSON.parse(readFileSync(`${folder}/criteria.json`, 'utf8'));
  return `# Results

Every criterion that takes longer than a test may, with the figure last measured, from the JSON files beside this page
(command, commit, machine, seeds and counts are in them). \`npm run results -- --write\` makes this table.

| criterion | bar | figure | verdict |
|---|---|---|---|
${criteria.map(row).join('\n')}
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write')) writeFileSync(`${folder}/README.md`, table());
  process.stdout.write(table());
}
