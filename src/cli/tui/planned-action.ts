/** Actions of the terminal view: the commands of torc, whose plan is shown first. What they print is kept for the screen. */
import { asTorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { autoscale } from '../actions/autoscaling.ts';
import { cancelJobs } from '../actions/jobs-cancel.ts';
import { holdJobs, pauseWorkflows } from '../actions/pauses.ts';
import { recoverWorkflow } from '../actions/recover.ts';
import { rerunFailed } from '../actions/rerun-failed.ts';
import { scheduleNodes } from '../actions/slurm-schedule.ts';
import { restartWorkflow } from '../actions/workflows-restart.ts';
import { resumeWorkflow } from '../actions/workflows-resume.ts';
import { cancelWorkflows, startWorkflow } from '../actions/workflows-start-cancel-delete.ts';
import type { Context } from '../context/context.ts';

export interface PlannedAction {
  title: string;
  /** What to type for the same, after `torc`. */
  typed: string;
  /** Applied only while its plan is the one that was shown. Others change with everything that runs. */
  isExact?: true;
  /** With `dryRun` it only prints its plan. */
  run(context: Context, dryRun: boolean): Promise<unknown>;
}

export interface Printed {
  text: string;
  isError: boolean;
}

/** Runs an action; never throws: an error is what it prints, with its hint. */
export async function printed(
  context: Context,
  { run }: Pick<PlannedAction, 'run'>,
  dryRun: boolean,
): Promise<Printed> {
  const said: string[] = [];
  const terminal = {
    ...context.terminal,
    isStdinTerminal: false,
    out: async (text: string | Uint8Array) => said.push(Buffer.from(text as string).toString('utf8')) > 0,
    err: (text: string) => void said.push(text),
  };
  const quiet = { format: 'text', mayAsk: false, isNoPrompts: true, hasColor: false, hasProgress: false } as const;
  try {
    await run({ ...context, ...quiet, terminal, isDryRun: dryRun }, dryRun);
    return { text: said.join(''), isError: false };
  } catch (error) {
    const { message, hint } = asTorcError(error);
    return { text: `${said.join('')}error: ${message}\n${hint === null ? '' : `hint: ${hint}\n`}`, isError: true };
  }
}

const chosen = (context: Context, key: string): Context => ({ ...context, workflowKey: key });
const none = (context: Context): Context => ({ ...context, workflowKey: null });

export const rerunning = (key: string): PlannedAction => ({
  title: `run the failed jobs of workflow ${key} again`,
  typed: `rerun-failed ${key}`,
  isExact: true,
  run: (context, dryRun) => rerunFailed(none(context), [key], { dryRun }),
});

/** Failed and lost jobs, with more of what they ran out of. */
export const recovering = (key: string): PlannedAction => ({
  title: `recover workflow ${key}`,
  typed: `recover ${key}`,
  isExact: true,
  run: (context, dryRun) => recoverWorkflow(none(context), key, { dryRun, yes: true }),
});

export const restarting = (key: string): PlannedAction => ({
  title: `restart workflow ${key}`,
  typed: `restart ${key}`,
  isExact: true,
  run: (context, dryRun) => restartWorkflow(none(context), key, { dryRun, timeout: 300 }),
});

/** The first run of one that has not started. */
export const starting = (key: string): PlannedAction => ({
  title: `start workflow ${key}`,
  typed: `start ${key}`,
  isExact: true,
  run: (context, dryRun) => startWorkflow(none(context), key, { dryRun }),
});

export const canceling = (key: string): PlannedAction => ({
  title: `cancel workflow ${key}`,
  typed: `cancel ${key}`,
  run: (context, dryRun) => cancelWorkflows(none(context), [key], { dryRun }),
});

/** Neither has a plan of changes: the sentence says what it means. */
export const pausing = (key: string, isPaused: boolean): PlannedAction => ({
  title: `${isPaused ? 'resume' : 'pause'} workflow ${key}`,
  typed: `${isPaused ? 'resume' : 'pause'} ${key}`,
  async run(context, dryRun) {
    const what = isPaused
      ? `resumes workflow ${key}: its ready jobs run as workers have room`
      : `pauses workflow ${key}: running jobs continue, no others start until you resume it`;
    if (dryRun) await context.terminal.out(`${what}\n`);
    else if (isPaused) await resumeWorkflow(none(context), key, {});
    else await pauseWorkflows(none(context), [key], { yes: true });
  },
});

export const scheduling = (key: string, count: number): PlannedAction => ({
  title: `schedule ${counted(count, 'allocation')} for workflow ${key}`,
  typed: `hpc slurm schedule-nodes -k ${key} -n ${count}`,
  run: (context, dryRun) => scheduleNodes(chosen(context, key), { count, jobPrefix: 'worker', server: true, dryRun }),
});

export const autoscaling = (key: string, max: number): PlannedAction => ({
  title: `let workflow ${key} ask for at most ${counted(max, 'node')}`,
  typed: `workflows autoscale ${key} --max ${max}`,
  run: (context, dryRun) => autoscale(none(context), key, { max, dryRun }),
});

export const endingAutoscaling = (key: string): PlannedAction => ({
  title: `stop the autoscaler of workflow ${key}`,
  typed: `workflows autoscale ${key} --off`,
  run: (context, dryRun) => autoscale(none(context), key, { off: true, dryRun }),
});

export const cancelingJob = (key: string): PlannedAction => ({
  title: `cancel job ${key}`,
  typed: `jobs cancel ${key}`,
  run: (context, dryRun) => cancelJobs(none(context), [key], { dryRun, yes: true }),
});

export const holding = (key: string, isHeld: boolean): PlannedAction => ({
  title: `${isHeld ? 'release' : 'hold'} job ${key}`,
  typed: `jobs ${isHeld ? 'release' : 'hold'} ${key}`,
  run: (context, dryRun) => holdJobs(none(context), [key], !isHeld, { dryRun, yes: true }),
});
