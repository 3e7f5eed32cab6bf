import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['tests/slow/**/*.test.ts'], maxWorkers: 1, testTimeout: 7_200_000, hookTimeout: 600_000 },
});
