// How much a page grows over cycles of loading and disposing of a model: the resident memory of the browser's renderer
// processes, workers and WebAssembly included.
import { readdirSync, readFileSync } from 'node:fs';
import { type BrowserServer, chromium, type LaunchOptions, type Page } from 'playwright-core';
import type {} from './page/main.js';

/** Bytes gained from the end of cycle `from` to the end of cycle `to`, in a browser of its own. */
export async function memoryGrowth(
  options: LaunchOptions,
  url: string,
  bundle: string,
  from: number,
  to: number,
): Promise<number> {
  const server = await chromium.launchServer(options);
  try {
    const browser = await chromium.connect(server.wsEndpoint());
    const page = await browser.newPage();
    await page.goto(url);
    await cycles(page, bundle, from);
    const before = await settledBytes(page, server);
    await cycles(page, bundle, to - from);
    return (await settledBytes(page, server)) - before;
  } finally {
    await server.close();
  }
}

async function cycles(page: Page, bundle: string, count: number): Promise<void> {
  await page.evaluate(
    async ([url, count]) => {
      for (let cycle = 0; cycle < count; cycle++) {
        const generator = await window.sdk.loadGenerator(url, { device: 'wasm' });
        await generator.sample({ count: 4, seed: cycle });
        await generator.dispose();
      }
    },
    [bundle, count] as const,
  );
}

/** After a collection of garbage, and a moment for ended workers to give their memory back. */
async function settledBytes(page: Page, server: BrowserServer): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  await session.detach();
  await new Promise(resolve => setTimeout(resolve, 1000));
  return rendererBytes(server.process().pid ?? 0);
}

/** Resident bytes of the renderers among the descendants of a process (Linux). */
function rendererBytes(browser: number): number {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    const status = /^\d+$/.test(entry) ? read(`/proc/${entry}/status`) : '';
    const parent = /^PPid:\s+(\d+)$/m.exec(status)?.[1];
    if (parent) parents.set(Number(entry), Number(parent));
  }
  const descends = (process: number | undefined): boolean =>
    process !== undefined && (process === browser || descends(parents.get(process)));
  return [...parents.keys()]
    .filter(process => descends(process) && read(`/proc/${process}/cmdline`).includes('--type=renderer'))
    .map(process => Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${process}/status`))?.[1] ?? 0) * 1024)
    .reduce((sum, bytes) => sum + bytes, 0);
}

/** Nothing where the process has ended meanwhile. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
