// The status page: one small document that reads /status.json every two seconds. No build, no library, no inline script.

export const statusPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<title>genserve status</title>
<link rel="icon" href="data:," />
<style>
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.3rem; } h2 { font-size: 1rem; margin-top: 2rem; }
  dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; margin: 0; }
  dt { opacity: .7; } dd { margin: 0; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
  .wide { overflow-x: auto; }
  table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
  th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #8884; white-space: nowrap; }
  th:first-child, td:first-child { text-align: left; }
  td.reason { white-space: normal; text-align: left; }
</style>
<h1>genserve status</h1>
<p id="note" role="status">Reading /status.json …</p>
<dl id="figures"></dl>
<h2>Models</h2>
<div class="wide"><table id="models"></table></div>
<h2>What they did</h2>
<div class="wide"><table id="work"></table></div>
<p><a href="docs/">Calls to try</a> · <a href="metrics">Metrics for Prometheus</a> · <a href="./">Playground</a></p>
<script src="status.js" type="module"></script>
</html>
`;

export const statusScript = `const everyMs = 2000;
const mebibytes = bytes => (bytes / 2 ** 20).toFixed(0) + ' MiB';
const element = (tag, text, name) => Object.assign(document.createElement(tag), { textContent: text, className: name ?? '' });
const mean = ({ count, ns }) => (count === 0 ? '' : (ns / count / 1e6).toFixed(2));

function fill(id, heads, rows) {
  const head = document.createElement('tr');
  head.append(...heads.map(text => element('th', text)));
  const lines = rows.map(cells => {
    const line = document.createElement('tr');
    line.append(...cells.map((text, i) => element('td', text, heads[i] === 'reason' ? 'reason' : '')));
    return line;
  });
  document.getElementById(id).replaceChildren(head, ...lines);
}

function show({ uptimeSeconds, memory, queue, executors, models, statistics }) {
  const figures = {
    'up for': Math.floor(uptimeSeconds / 60) + ' min',
    'executors ready': executors.ready + ' of ' + executors.count,
    restarts: executors.restarts,
    'steps waiting': queue.steps,
    'memory, front': mebibytes(memory.frontBytes),
    'memory, executors': mebibytes(memory.executorsBytes),
  };
  const items = Object.entries(figures).map(([name, value]) => {
    const item = document.createElement('div');
    item.append(element('dt', name), element('dd', value));
    return item;
  });
  document.getElementById('figures').replaceChildren(...items);
  fill('models', ['name', 'version', 'state', 'reason'], models.map(m => [m.name, m.version, m.state, m.reason]));
  const heads = ['operation', 'version', 'rows', 'runs', 'rows a run', 'failed', 'queue ms', 'compute ms'];
  fill('work', heads, statistics.map(s => [
    s.name,
    s.version,
    s.inference_count,
    s.execution_count,
    s.execution_count === 0 ? '' : (s.inference_count / s.execution_count).toFixed(1),
    s.inference_stats.fail.count,
    mean(s.inference_stats.queue),
    mean(s.inference_stats.compute_infer),
  ]));
}

async function refresh() {
  const note = document.getElementById('note');
  try {
    const response = await fetch('status.json');
    const body = await response.json();
    if (!response.ok) throw new Error(body.error.message);
    show(body);
    note.textContent = 'As of ' + new Date().toLocaleTimeString();
  } catch (error) {
    note.textContent = 'The server does not answer: ' + error.message;
  }
}

refresh();
setInterval(refresh, everyMs);
`;
