/** The defaults of torc's format. */
export const specDefaults = {
  expirationBufferSeconds: 180,
  waitForNewJobsSeconds: 90,
  ignoreWorkflowCompletion: false,
  waitForHealthyDatabaseMinutes: 20,
  jobsSortMethod: 'gpus_runtime_memory',
  stdio: 'files',
  cancelOnBlockingJobFailure: true,
  supportsTermination: false,
  priority: 0,
  isEphemeral: false,
  numGpus: 0,
  numNodes: 1,
  /** For packing and order; not a limit. */
  runtimeMs: 3_600_000,
  maxRetries: 3,
  maxLosses: 3,
  qos: 'normal',
  walltime: '01:00:00',
  sampleIntervalSeconds: 5,
} as const;
