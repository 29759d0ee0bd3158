/** Plans for jobs that were chosen by keys, names and patterns; a pattern's plan is shown before it is applied. */
import type { Api, Plan, Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import type { Context } from '../context/context.ts';
import { confirm } from '../input/ask.ts';
import type { ChosenJobs } from '../input/chosen-jobs.ts';
import { type PlanEndpoint, type PlanOptions, type PlanRequest, planAndApply } from './apply.ts';
import { changesText } from './output.ts';

type JobsEndpoint = Exclude<PlanEndpoint, 'workflow_restart'>;

/**
 * Makes the plan for these jobs and applies it, after a question where a pattern chose some of them. Throws 'usage'
 * where nobody can be asked, 'interrupted' when the answer is no.
 */
export async function planForJobs<N extends JobsEndpoint>(
  context: Context,
  api: Api,
  endpoint: N,
  chosen: ChosenJobs,
  options: PlanOptions,
  more: Partial<PlanRequest<N>> = {},
): Promise<Reply<N>> {
  const { workflowKey, keys, names } = chosen;
  const request = {
    workflow_key: workflowKey,
    ...(endpoint === 'jobs_reset' ? { which: keys } : { job_keys: keys }),
    ...(names.length === 0 ? {} : { job_names: names }),
    ...more,
  } as unknown as PlanRequest<N>;
  const dryRun = options.dryRun ?? false;
  if (!dryRun && options.yes !== true && !context.isNoPrompts && chosen.patterns.length > 0) {
    const first = { ...request, dry_run: true, expected_state: null, skip: 0 } as unknown as Request<N>;
    await askForPattern(context, chosen, (await api.call(endpoint, first)) as Plan);
  }
  return planAndApply(context, api, endpoint, request, dryRun);
}

/** This many changes are shown before the question. */
const shownChanges = 20;

async function askForPattern(context: Context, { patterns }: ChosenJobs, plan: Plan): Promise<void> {
  if (plan.num_changes === 0) return;
  const changes = plan.changes.slice(0, shownChanges);
  if (context.format !== 'json') context.terminal.err(changesText(context, { ...plan, changes }), 'colors');
  await askAboutPattern(
    context,
    patterns,
    `change ${counted(plan.num_changes, 'job')} of workflow ${plan.workflow_key}`,
  );
}

/** Asks whether what a pattern chose is meant; `what` follows "this would". */
export async function askAboutPattern(context: Context, patterns: readonly string[], what: string): Promise<void> {
  if (!context.mayAsk) {
    throw new TorcError(
      'usage',
      `${patterns.length === 0 ? 'the pattern' : patterns.join(' ')} would ${what}; nothing was changed`,
      'To do it, add --yes. To see the whole plan, add --dry-run.',
    );
  }
  if (!(await confirm(context, `This would ${what}. Continue?`))) {
    throw new TorcError('interrupted', 'nothing was changed');
  }
}
