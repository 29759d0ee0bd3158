/**
 * Starts processes as steps of the Slurm allocation in which this worker runs: srun is the process that is started, and
 * ends when the step does. The step leaves a mark about its command (run-step.c).
 */
import { existsSync } from 'node:fs';
import { readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import { stepRunnerPath } from '../../base/program.ts';
import { makeInnerFolder } from '../../base/trusted/private-async.ts';
import { readMark, type StepMark, stepEnd } from '../../model/decide/step-end.ts';
import { type Step, stepText } from '../../slurm/step.ts';
import { jobOomScore, type ProcessEnd, type Spawner, type SpawnListener, type SpawnRequest, shell } from './spawner.ts';

export interface StepOptions {
  /** Starts srun, and everything that is no step. */
  spawner: Spawner;
  /** Where steps leave their marks: a folder of this worker in the server directory. */
  folder: string;
  /** The program that runs the command in the step; by default the built one. */
  file?: string;
}

/** Passes on what is no step. */
export function openStepSpawner({ spawner, folder, file = stepRunnerPath() }: StepOptions): Spawner {
  // without a C compiler there is none: then only srun says how a command ended
  const runner = existsSync(file) ? file : null;
  let made: Promise<void> | null = null;

  async function start(request: SpawnRequest, step: Step, listener: SpawnListener): Promise<void> {
    const path = join(folder, String(request.attempt));
    try {
      made ??= makeInnerFolder(folder);
      await made;
    } catch (error) {
      made = null;
      listener.failed(null, `cannot make ${folder}: ${messageOf(error)}`);
      return;
    }
    const command = [shell.file, ...shell.options, request.text];
    const words = runner === null ? command : [runner, path, String(jobOomScore), ...command];
    const ended = (end: ProcessEnd): void => void tellEnd(runner === null ? null : path, end, listener);
    spawner.spawn({ ...request, text: stepText(step, words) }, { ...listener, exited: ended });
  }

  return {
    // steps are never queued: they have no place that another could take
    queue: spawner.queue,
    spawn(request, listener) {
      const { step } = request;
      if (step === undefined) spawner.spawn(request, listener);
      else void start(request, step, listener);
    },
    close: () => spawner.close(),
  };
}

/** Tells how the command in the step ended, as if srun had ended so. */
async function tellEnd(path: string | null, srun: ProcessEnd, listener: SpawnListener): Promise<void> {
  const { step, mark } = path === null ? { step: null, mark: 'unknown' as const } : await takeMark(path);
  const end = stepEnd(srun, mark);
  if (end !== null) listener.exited({ ...srun, ...end, step });
  else
    listener.failed(
      null,
      `srun could not start a step (it ended with ${srun.signal ?? srun.exitCode}); see its stderr`,
    );
}

async function takeMark(path: string): Promise<{ step: string | null; mark: StepMark }> {
  try {
    const found = readMark(await readlink(path));
    await rm(path, { force: true });
    return found ?? { step: null, mark: 'unknown' };
  } catch {
    return { step: null, mark: 'absent' };
  }
}
