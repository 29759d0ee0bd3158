/** What Ctrl-C does to a local run: it lets running jobs finish, then stops them, then kills them. */
import { exitCodes } from '../../base/errors.ts';
import { type Context, note } from '../context/context.ts';
import type { InterruptSignal } from '../context/interrupts.ts';
import type { WorkerChild } from './local-worker.ts';
import { stopSurvivors } from './survivors.ts';

export interface StopStages {
  /** Whether running jobs are let finish, and nothing more starts here. */
  isDraining(): boolean;
  /** Whether jobs were stopped. */
  isStopped(): boolean;
  /** Resolves when other workers of this workflow that were told to stop have. */
  settled(): Promise<unknown>;
  /** Signals no longer come here. */
  close(): void;
}

/** A worker that is just starting does not hear the first request. */
const repeatMs = 500;

/** Handles the signals of a run. SIGTERM and SIGHUP stop the jobs at once: nobody is there to wait for them. */
export function handleStops(context: Context, workflowKey: string, child: WorkerChild): StopStages {
  let stage: 'running' | 'draining' | 'stopping' | 'killing' = 'running';
  let stopping: Promise<number> | null = null;
  let cancelRepeat = (): void => {};
  const say = (text: string): void => note(context, `${context.hasProgress ? '\n' : ''}${text}`);
  const drain = (): void => {
    child.drain();
    cancelRepeat = context.clock.after(repeatMs, drain);
  };
  const stop = (signal: InterruptSignal): void => {
    cancelRepeat();
    stage = 'stopping';
    say(`stopping running jobs${signal === 'SIGINT' ? '; press Ctrl-C again to kill them' : ''}`);
    child.stop();
    stopping ??= stopSurvivors(context, workflowKey);
  };
  const removeHandler = context.interrupts.handle((signal) => {
    if (stage === 'running' && signal === 'SIGINT') {
      stage = 'draining';
      say('starting no more jobs; running jobs finish. Press Ctrl-C again to stop them');
      drain();
    } else if (stage === 'running' || stage === 'draining') {
      stop(signal);
    } else if (stage === 'stopping') {
      stage = 'killing';
      say('killing running jobs');
      child.kill();
    } else context.interrupts.exit(exitCodes.interrupted, signal);
  });
  return {
    isDraining: () => stage === 'draining',
    isStopped: () => stage === 'stopping' || stage === 'killing',
    settled: async () => await stopping,
    close() {
      cancelRepeat();
      removeHandler();
    },
  };
}
