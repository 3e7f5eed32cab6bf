import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['*/src/**/*.gpu.test.ts'], maxWorkers: 1, testTimeout: 600_000 },
});
