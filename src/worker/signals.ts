/** The signals by which Slurm or a person asks a worker to stop. */
import type { StopSignal, StopSource } from './effects.ts';

const meanings: readonly (readonly [NodeJS.Signals, StopSignal])[] = [
  ['SIGTERM', 'terminate'],
  ['SIGINT', 'terminate'],
  ['SIGHUP', 'terminate'],
  // the command that started it passes on what a person asks for
  ['SIGUSR1', 'drain'],
  ['SIGQUIT', 'kill'],
  // the sbatch script asks Slurm to send it ahead of the end of the allocation
  ['SIGUSR2', 'warning'],
];

/** The signals of this process. While there is a listener they do not end the process by themselves. */
export function processSignals(): StopSource {
  return {
    listen(listener) {
      const handlers = meanings.map(([name, meaning]) => [name, () => listener(meaning)] as const);
      for (const [name, handler] of handlers) process.on(name, handler);
      return () => {
        for (const [name, handler] of handlers) process.off(name, handler);
      };
    },
  };
}
