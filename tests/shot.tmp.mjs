import { chromium } from 'playwright-core';

const url = process.argv[2] ?? 'http://127.0.0.1:18321/';
const scale = 1;
const b = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
for (const [name, opt] of Object.entries({
  desktop: { viewport: { width: 1280, height: 900 } },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 },
})) {
  if (process.argv[3] && !process.argv[3].includes(name)) continue;
  const c = await b.newContext(opt);
  const p = await c.newPage();
  p.on('console', m => console.log(name, m.type(), m.text()));
  p.on('pageerror', e => console.log(name, 'ERR', e.message));
  p.on('requestfailed', r => console.log('failed', r.url(), r.failure()?.errorText));
  await p.goto(url);
  await p
    .waitForFunction(() => document.querySelector('#samples').getAttribute('aria-label') !== 'No samples yet', null, {
      timeout: 60000,
    })
    .catch(e => console.log(e.message));
  await p.click('#place-browser');
  await p
    .waitForFunction(() => document.querySelector('#time-browser').textContent !== 'not run yet', null, {
      timeout: 60000,
    })
    .catch(e => console.log(e.message));
  await p.click('#compare');
  await p
    .waitForFunction(() => document.querySelector('#comparison').dataset.difference, null, { timeout: 60000 })
    .catch(e => console.log(e.message));
  const box = await p.locator('#drawing').boundingBox();
  await p.locator('#drawing').scrollIntoViewIfNeeded();
  const d = await p.locator('#drawing').boundingBox();
  const pts = [
    [0.3, 0.3],
    [0.45, 0.2],
    [0.65, 0.25],
    [0.68, 0.4],
    [0.5, 0.5],
    [0.35, 0.65],
    [0.3, 0.78],
    [0.5, 0.78],
    [0.72, 0.76],
  ];
  await p.mouse.move(d.x + pts[0][0] * d.width, d.y + pts[0][1] * d.height);
  await p.mouse.down();
  for (const [x, y] of pts.slice(1)) await p.mouse.move(d.x + x * d.width, d.y + y * d.height, { steps: 6 });
  await p.mouse.up();
  await p
    .waitForFunction(() => document.querySelector('#verdict-figures').textContent, null, { timeout: 60000 })
    .catch(e => console.log(e.message));
  await p.waitForTimeout(500);
  await p.evaluate(() => window.scrollTo(0, 0));
  await p.screenshot({ path: `/tmp/shots/${name}.png`, fullPage: true });
  console.log(
    name,
    await p.textContent('#sampling-status'),
    '|',
    await p.textContent('#comparison'),
    '|',
    await p.textContent('#verdict-words'),
    await p.textContent('#verdict-figures'),
    await p.evaluate(() => document.documentElement.scrollWidth),
  );
  await c.close();
}
await b.close();
