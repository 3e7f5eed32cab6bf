#!/usr/bin/env node
// The `genserve` command. What it does is in ../src; this file only says what to do where that was not built yet.
import { existsSync } from 'node:fs';

const built = new URL('../dist/main.js', import.meta.url);
if (existsSync(built)) {
  const { main } = await import(built.href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  process.stderr.write('genserve is not built yet: run `npm run build` in the repository (npm start does it too).\n');
  process.exitCode = 1;
}
