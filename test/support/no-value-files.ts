/** For workers whose jobs pass no values. */
import type { ValueFiles } from '../../src/worker/files/values.ts';

export const noValueFiles: ValueFiles = {
  variables: () => ({}),
  needsPreparation: () => false,
  prepare: async () => {},
  take: () => ({ value: undefined }),
  takePrepared: async () => ({ value: undefined }),
  close() {},
};
