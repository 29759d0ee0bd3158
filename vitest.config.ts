import { defineConfig } from 'vitest/config';

const layer = (name: string, extra: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], ...extra },
});

export default defineConfig({
  test: {
    projects: [
      layer('unit', { testTimeout: 30_000 }),
      layer('property', { testTimeout: 60_000, setupFiles: ['test/support/seed.ts'] }),
      layer('sim', { testTimeout: 120_000 }),
      layer('worker', { testTimeout: 60_000 }),
      layer('server', { testTimeout: 60_000, hookTimeout: 60_000, setupFiles: ['test/support/seed.ts'] }),
      layer('cli', { testTimeout: 60_000 }),
      layer('crash', { testTimeout: 60_000 }),
      layer('security', { testTimeout: 120_000, hookTimeout: 120_000 }),
      layer('slurm', { testTimeout: 600_000, hookTimeout: 600_000, fileParallelism: false }),
    ],
  },
});
