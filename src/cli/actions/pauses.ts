/** `torc workflows pause|resume`, `torc jobs hold|release`. */
import type { Reply } from '../../api/contract.ts';
import { counted, shellWord } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { chooseJobs } from '../input/chosen-jobs.ts';
import { chooseWorkflows } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import type { PlanOptions } from '../plans/apply.ts';
import { planForJobs } from '../plans/chosen-jobs.ts';
import { askAboutWorkflows } from '../plans/chosen-workflows.ts';
import { changesText, printPlan, unchangedText } from '../plans/output.ts';

/** As JSON one workflow is an object, several are a list. */
export async function pauseWorkflows(
  context: Context,
  words: readonly string[],
  options: { yes?: boolean },
): Promise<void> {
  await withConnection(context, async ({ api }) => {
    const chosen = await chooseWorkflows(context, api, words);
    await askAboutWorkflows(context, api, chosen, 'pause', options);
    const replies: Reply<'workflow_pause'>[] = [];
    for (const workflow_key of chosen.keys) {
      replies.push(await api.call('workflow_pause', { workflow_key, paused: true }));
    }
    const [only, ...others] = replies;
    const value = only !== undefined && others.length === 0 ? only : { workflows: replies };
    await printResult(context, value, () => replies.map((reply) => pauseText(context, reply)).join(''));
  });
}

/** A pause that began or ended, or already existed. */
export function pauseText(context: Context, reply: Reply<'workflow_pause'>): string {
  const { workflow_key: key, is_paused, was_paused, num_running, num_ready } = reply;
  const jobs = `${counted(num_running, 'running job')}, ${num_ready} ready`;
  if (is_paused) {
    const line = `workflow ${key} ${was_paused ? 'was already paused' : 'is paused'}: ${jobs}`;
    return `${line}; running jobs continue\nto resume:  ${context.torc} workflows resume ${key}\n`;
  }
  if (was_paused) return `resumed workflow ${key}: ${jobs}\n`;
  const again = `${context.torc} workflows resume ${key} --keep-running`;
  return `workflow ${key} is not paused: ${jobs}\nto run what failed again:  ${again}\n`;
}

export async function holdJobs(
  context: Context,
  keys: readonly string[],
  hold: boolean,
  options: PlanOptions,
): Promise<void> {
  await withConnection(context, async ({ api }) => {
    const chosen = await chooseJobs(context, api, keys);
    const plan = await planForJobs(context, api, 'jobs_hold', chosen, options, { hold });
    await printPlan(context, plan, plan.changes, () => holdText(context, plan, keys, hold));
  });
}

function holdText(context: Context, plan: Reply<'jobs_hold'>, words: readonly string[], hold: boolean): string {
  const key = plan.workflow_key;
  const unchanged = unchangedText(context, plan.kept, plan.num_kept);
  if (plan.num_changes === 0)
    return `${unchanged.trimStart()}nothing to ${hold ? 'hold' : 'release'} in workflow ${key}\n`;
  const jobs = `${counted(plan.num_changes, 'job')} of workflow ${key}`;
  const done = hold ? 'held' : 'released';
  const line = plan.dry_run ? `dry run: ${jobs} would be ${done}; nothing was changed` : `${done} ${jobs}`;
  const next =
    hold && !plan.dry_run
      ? `to release:  ${context.torc} jobs release ${[`-k ${key}`, ...words.map(shellWord)].join(' ')}\n`
      : '';
  return `${changesText(context, plan)}${unchanged}\n${line}\n${next}`;
}
