/** Makes a plan and applies exactly that plan. */
import type { Api, EndpointName, Plan, Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { Context } from '../context/context.ts';
import { startProgress } from '../output/progress.ts';

/** As typed: every command with a plan can print it instead of applying it. */
export interface PlanOptions {
  dryRun?: boolean;
  /** Whether jobs chosen by a pattern change without a question. */
  yes?: boolean;
}

/** Shows progress while one long call runs. */
export async function shown<T>(context: Context, text: string, work: Promise<T>): Promise<T> {
  const progress = startProgress(context);
  const timer = setInterval(() => progress.update(text), 250);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    progress.clear();
  }
}

/** Endpoints that make a plan of many changes. */
export type PlanEndpoint = Extract<
  EndpointName,
  'workflow_restart' | 'jobs_reset' | 'jobs_disable' | 'jobs_hold' | 'jobs_cancel' | 'jobs_mark_done'
>;
/** The request of a plan, without the options that all plans share. */
export type PlanRequest<N extends PlanEndpoint> = Omit<Request<N>, 'dry_run' | 'expected_state' | 'skip'>;

/** Throws the error that the command would end with; changes nothing and reads only the first page of its plan. */
export async function refuseEarly<N extends PlanEndpoint>(
  api: Api,
  endpoint: N,
  request: PlanRequest<N>,
): Promise<void> {
  await api.call(endpoint, { ...request, dry_run: true, expected_state: null, skip: 0 } as Request<N>);
}

type Ask = (options: Pick<Request<PlanEndpoint>, 'dry_run' | 'expected_state' | 'skip'>) => Promise<Plan>;

/** A workflow in use may change this often while its plan is read. */
const mostTries = 3;

/**
 * Makes a plan and, unless `dryRun`, applies it. Programs get every change: those beyond the reply are read before
 * anything is applied, and what is applied is the plan that was read. Throws 'conflict' when it keeps changing.
 */
export async function planAndApply<N extends PlanEndpoint>(
  context: Context,
  api: Api,
  endpoint: N,
  request: PlanRequest<N>,
  dryRun: boolean,
): Promise<Reply<N>> {
  const ask: Ask = (options) => api.call(endpoint, { ...request, ...options } as Request<N>) as Promise<Plan>;
  const { seenPlan } = context;
  const expected_state = dryRun ? null : (seenPlan?.state ?? null);
  // what follows in the same command is about what this one has changed
  if (!dryRun && seenPlan !== undefined) seenPlan.state = null;
  const work = context.format === 'text' ? ask({ dry_run: dryRun, expected_state, skip: 0 }) : whole(ask, dryRun);
  const plan = await shown(context, `planning for workflow ${request.workflow_key}`, work);
  if (dryRun && seenPlan !== undefined) seenPlan.state ??= plan.state;
  return plan as Reply<N>;
}

async function whole(ask: Ask, dryRun: boolean): Promise<Plan> {
  for (let tries = 1; ; tries += 1) {
    const plan = await ask({ dry_run: true, expected_state: null, skip: 0 });
    try {
      const changes = [...plan.changes];
      while (changes.length < plan.num_changes) {
        const page = await ask({ dry_run: true, expected_state: plan.state, skip: changes.length });
        if (page.changes.length === 0) throw new TorcError('bug', 'a plan has fewer changes than it says');
        for (const change of page.changes) changes.push(change);
      }
      if (dryRun) return { ...plan, changes };
      const applied = await ask({ dry_run: false, expected_state: plan.state, skip: 0 });
      // the state token does not cover files and processes, which may have changed since
      return applied.changes.length === applied.num_changes ? applied : { ...applied, changes };
    } catch (error) {
      const isConflict = error instanceof TorcError && error.code === 'conflict';
      if (!isConflict || tries === mostTries) throw error;
    }
  }
}
