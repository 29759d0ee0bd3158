import { defineConfig } from 'vitest/config';

/**
 * Limits for tests that start many programs, far beyond what they take: only what hangs shall fail by them, also on a small
 * machine that is busy with other work.
 */
const patient = { testTimeout: 240_000, hookTimeout: 120_000, expect: { poll: { timeout: 150_000 } } };

const onCluster = { testTimeout: 1_200_000, hookTimeout: 1_200_000, fileParallelism: false };

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
      layer('server', {
        testTimeout: 60_000,
        hookTimeout: 60_000,
        setupFiles: ['test/support/seed.ts', 'test/support/check-replies.ts'],
      }),
      layer('cli', { ...patient, setupFiles: ['test/support/check-recorded-replies.ts'] }),
      layer('browser', { ...patient, fileParallelism: false }),
      layer('crash', patient),
      layer('security', { testTimeout: 120_000, hookTimeout: 120_000 }),
      layer('python', { testTimeout: 900_000, hookTimeout: 120_000, globalSetup: ['test/python/environment.ts'] }),
      layer('slurm', onCluster),
      layer('slurm-long', onCluster),
      layer('nfs', { testTimeout: 900_000, hookTimeout: 600_000, fileParallelism: false }),
      layer('package', {
        ...{ testTimeout: 1_800_000, hookTimeout: 1_800_000, fileParallelism: false },
        globalSetup: ['test/package/make.ts'],
      }),
    ],
  },
});
