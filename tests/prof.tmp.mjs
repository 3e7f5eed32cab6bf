import { mkdtempSync } from 'node:fs';
import { chromium } from 'playwright-core';

const [url, bundle] = process.argv.slice(2);
const prof = mkdtempSync('/tmp/prof-');
const c = await chromium.launchPersistentContext(prof, {
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
for (let i = 0; i < 4; i++) {
  const p = await c.newPage();
  const t = Date.now();
  await p.goto(url, { waitUntil: 'load' });
  await p.waitForFunction(
    () => document.querySelector('#samples').getAttribute('aria-label') !== 'No samples yet',
    null,
    { timeout: 60000 },
  );
  const t1 = Date.now();
  await p.check('#place-browser');
  await p.waitForFunction(() => /verified/.test(document.querySelector('#sampling-status').textContent), null, {
    timeout: 60000,
    polling: 20,
  });
  console.log(
    i,
    'server first',
    t1 - t,
    'browser',
    Date.now() - t1,
    await p.textContent('#sampling-status'),
    await p.textContent('#time-server'),
    await p.textContent('#time-browser'),
  );
  await p.close();
}
await c.close();
