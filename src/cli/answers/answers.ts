/**
 * What the page asks for that the commands show as well: how a workflow and a job stand, with the commands
 * that help, logs, and the commands that change something, each with its plan.
 */
import { z } from 'zod';
import type { Api } from '../../api/contract.ts';
import {
  type DashAnswerName,
  type DashCommand,
  dashCommands,
  type JobPage,
  type NodesPage,
  type ResourcesPage,
  type WorkflowPage,
} from '../../api/dash.ts';
import { TorcError } from '../../base/errors.ts';
import type { Context } from '../context/context.ts';
import { scalingStateText, settingsText } from '../output/autoscaler-text.ts';
import { type FailedJobs, howText, readFailures } from '../output/failures.ts';
import { reasonHelp } from '../output/reason-help.ts';
import { correctionCommand } from '../output/resource-corrections.ts';
import { nextCommands } from '../output/status-page.ts';
import { whyOf } from '../output/why.ts';
import { applyCommand, planCommand, planNodes } from './commands.ts';
import { readLog } from './read-log.ts';
import { readSeries } from './read-series.ts';

const key = z.string().regex(/^[1-9][0-9]{0,15}$/);
const count = z.number().int().nonnegative();

const command = {
  command: z.enum(Object.keys(dashCommands) as DashCommand[]),
  key,
  number: z.number().int().min(1).max(1_000_000).nullable(),
  least: count.max(1_000_000).optional(),
};

const attempt = { job_key: key, run_id: count, attempt_id: count };

const requests = {
  program: z.strictObject({}),
  workflow_page: z.strictObject({ workflow_key: key }),
  job_page: z.strictObject({ job_key: key }),
  log: z.strictObject({ ...attempt, stream: z.enum(['stdout', 'stderr']), offset: count.nullable() }),
  series: z.strictObject(attempt),
  resources_page: z.strictObject({ workflow_key: key }),
  nodes_page: z.strictObject({ workflow_key: key }),
  node_plan: z.strictObject({ workflow_key: key }),
  plan: z.strictObject(command),
  apply: z.strictObject({ ...command, state: z.string().max(100) }),
} satisfies Record<DashAnswerName, z.ZodType>;

export function isAnswer(name: string): name is DashAnswerName {
  return Object.hasOwn(requests, name);
}

/** What answers: the server, and failed jobs that were read before. */
export interface Asked {
  context: Context;
  api: Api;
  failed: FailedJobs;
}

/** Throws TorcError 'usage' for a request that is not like that. */
export async function answerTo(
  { context, api, failed }: Asked,
  name: DashAnswerName,
  request: unknown,
  signal: AbortSignal,
): Promise<object> {
  switch (name) {
    case 'program':
      checked(requests[name], request);
      return { torc: context.torc };
    case 'workflow_page':
      return await workflowPage({ context, api, failed }, checked(requests[name], request).workflow_key);
    case 'job_page':
      return await jobPage(context, api, checked(requests[name], request).job_key);
    case 'log':
      return await readLog(api, checked(requests[name], request));
    case 'series':
      return await readSeries(api, checked(requests[name], request));
    case 'resources_page':
      return await resourcesPage(context, api, checked(requests[name], request).workflow_key, signal);
    case 'nodes_page':
      return await nodesPage(context, api, checked(requests[name], request).workflow_key);
    case 'node_plan':
      return await planNodes(context, checked(requests[name], request).workflow_key, signal);
    case 'plan':
      return await planCommand(context, checked(requests[name], request), signal);
    case 'apply':
      return await applyCommand(context, checked(requests[name], request));
  }
}

function checked<T>(schema: z.ZodType<T>, request: unknown): T {
  const { success, data, error } = schema.safeParse(request);
  if (success) return data;
  throw new TorcError('usage', `the request is wrong: ${error.issues[0]?.message}`);
}

export async function workflowPage({ context, api, failed }: Asked, workflow_key: string): Promise<WorkflowPage> {
  const page = await api.call('workflow_status', { workflow_key });
  const failures = await readFailures({ format: 'text' }, api, page.failures, failed.of(page.workflow));
  return {
    page,
    failures: failures.groups.map((group) => ({ ...group, how: howText(group) })),
    help: page.workflow.held_back.map(({ reason }) => {
      return reasonHelp(context, { workflow_key, job_key: 'JOB' }, [reason]);
    }),
    next: nextCommands(context.torc, page.workflow, failures),
  };
}

export async function jobPage(context: Context, api: Api, job_key: string): Promise<JobPage> {
  const shown = await api.call('job_show', { job_key });
  return { shown, reasons: whyOf(context, shown).reasons.map(({ text, help }) => ({ text, help })) };
}

async function resourcesPage(
  { torc }: Context,
  api: Api,
  workflow_key: string,
  signal: AbortSignal,
): Promise<ResourcesPage> {
  const { usage } = await api.call('usage', { workflow_key }, { signal });
  return { usage, typed: correctionCommand(torc, workflow_key, usage) };
}

async function nodesPage({ torc }: Context, api: Api, workflow_key: string): Promise<NodesPage> {
  const { autoscaler } = await api.call('workflow_status', { workflow_key });
  if (autoscaler === null) {
    const { number } = dashCommands.autoscale;
    const typed = { autoscale: `${torc} workflows autoscale ${workflow_key} --max ${number} --dry-run` };
    return { autoscaler: null, typed };
  }
  const { allocations } = await api.call('workflow_autoscale', { workflow_key, dry_run: true, settings: {} });
  const texts = { settings: settingsText(autoscaler), state: scalingStateText(autoscaler) };
  const typed = { autoscale: `${torc} workflows autoscale ${workflow_key} --dry-run` };
  const { max_nodes, min_nodes } = autoscaler;
  return { autoscaler: { ...texts, wants: allocations, max_nodes, min_nodes }, typed };
}
