// `node scripts/screenshots.mjs [address]`: the playground's pictures in docs/playground/, from a server that is running
// (http://localhost:8080 when no address is given), at a desktop's and at a phone's width.
import { mkdirSync, readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { root } from './setup.mjs';

const address = process.argv[2] ?? 'http://localhost:8080/';
const folder = `${root}docs/playground`;
const click = id => page => page.getByTestId(id).click();
const shows = (id, pattern) => page => page.getByTestId(id).filter({ hasText: pattern }).waitFor({ timeout: 120_000 });
const sheet = page => page.locator('#samples[aria-label*="seed"]').waitFor();

/** The first of the held-out emoji, from the sheet that shows their translations. */
async function choosesEmoji(page) {
  const sheet = await page.context().newPage();
  const source = readFileSync(`${root}docs/results/emoji-pix2pix/translations.png`).toString('base64');
  await sheet.setContent(`<body style="margin: 0"><img src="data:image/png;base64,${source}">`);
  const buffer = await sheet.screenshot({ clip: { x: 2, y: 2, width: 64, height: 64 } });
  await sheet.close();
  await page.getByTestId('translate-file').setInputFiles({ name: 'emoji.png', mimeType: 'image/png', buffer });
}

/** Name, address, and what is done before the picture is taken. */
const shots = [
  ['gallery', '', [shows('models', /mnist-vae/)]],
  ['sample', '#/mnist-vae/sample', [sheet, click('place-browser'), shows('sampling-status', /verified/)]],
  ['explore', '#/mnist-vae/explore', [shows('point-caption', /50 %/)]],
  ['score', '#/mnist-vae/score', [click('take-sample'), shows('verdict-words', /rarer/)]],
  [
    'paint',
    '#/mnist-pixelcnn/paint',
    [shows('paint-status', /^Erase/), click('erase-lower'), click('complete'), shows('paint-status', /^6 completions/)],
  ],
  ['translate', '#/emoji-pix2pix/translate', [choosesEmoji, shows('translate-status', /^Translated in/)]],
];
const screens = [
  { name: 'desktop', viewport: { width: 1180, height: 860 }, colorScheme: 'light' },
  { name: 'phone', viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
];

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
for (const { name: screen, ...options } of screens) {
  const context = await browser.newContext({ ...options, reducedMotion: 'reduce' });
  for (const [name, hash, steps] of shots) {
    const page = await context.newPage();
    await page.goto(address + hash);
    if (await page.getByTestId('notice').isVisible()) continue; // no such model here
    for (const step of steps) await step(page);
    await page.evaluate(() => {
      document.activeElement?.blur();
      scrollTo(0, 0);
    });
    await page.screenshot({ path: `${folder}/${name}-${screen}.png`, fullPage: true });
    await page.close();
    console.log(`${name}-${screen}.png`);
  }
}
await browser.close();
