/** `torc limits set|list|delete`: shared limits, or with -k those of a workflow. */
import type { Api, Reply } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { typedLimits } from '../../model/labels.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import type { ListOptions } from '../input/filters.ts';
import { type RecordList, showRecords } from '../input/record-list.ts';
import { chooseWorkflow, type Use } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';

/** Null without a key: a workflow of the environment does not make a limit that of a workflow. */
async function ofWorkflow(
  context: Context,
  api: Api,
  use: Use = 'changes',
  key: string | null = null,
): Promise<string | null> {
  return (key ?? context.workflowKey) === null ? null : await chooseWorkflow(context, api, key, use);
}

function checkedName(name: string): string {
  const [typed] = typedLimits(name);
  if (typed === undefined) throw new TorcError('usage', 'the name of the limit is empty', 'torc limits list');
  return typed;
}

export async function setLimit(context: Context, name: string, maximum: number): Promise<void> {
  // a specification whose jobs name a shared limit is created after it
  const creates = context.workflowKey === null;
  const set = async ({ api }: { api: Api }) => {
    const workflow_key = await ofWorkflow(context, api);
    return api.call('limit_set', { name: checkedName(name), workflow_key, maximum });
  };
  const reply = await withConnection(context, set, { creates });
  await printResult(context, reply, () => {
    const { old_maximum: old, num_running: n } = reply;
    if (old === maximum) return `nothing to change: ${titleOf(reply)} is already ${maximum}\n`;
    const change = old === null ? `is ${maximum}` : `was ${old} and is now ${maximum}`;
    const rest = n > maximum ? `; ${counted(n, 'running job')} ${n === 1 ? 'continues' : 'continue'}` : '';
    return `${titleOf(reply)} ${change}${rest}\n`;
  });
}

export async function deleteLimit(context: Context, name: string): Promise<void> {
  const reply = await withConnection(context, async ({ api }) => {
    const workflow_key = await ofWorkflow(context, api);
    return api.call('limit_delete', { name: checkedName(name), workflow_key });
  });
  await printResult(context, reply, () => `deleted ${titleOf(reply)}, which was ${reply.old_maximum}\n`);
}

function titleOf({ name, workflow_key }: Reply<'limit_set'>): string {
  return workflow_key === null ? `the shared limit ${name}` : `the limit ${name} of workflow ${workflow_key}`;
}

type LimitRecord = Reply<'limits_list'>['limits'][number];

export const limitColumns: readonly (keyof LimitRecord)[] = [
  'name',
  'workflow_key',
  'maximum',
  'num_running',
  'workflows',
];

const limitList: RecordList<LimitRecord> = {
  name: 'limits',
  columns: limitColumns,
  usual: ['name', 'workflow_key', 'maximum', 'num_running', 'running_in'],
  asText: ({ workflows }) => ({
    running_in: workflows.map((each) => `${each.workflow_key}: ${each.num_running}`).join(', '),
  }),
  ifNone: 'there are no limits; to make one: torc limits set NAME N\n',
};

export async function listLimits(context: Context, key: string | null, options: ListOptions): Promise<void> {
  const { limits } = await withConnection(context, async ({ api }) =>
    api.call('limits_list', { workflow_key: await ofWorkflow(context, api, 'reads', key) }),
  );
  await showRecords(context, limitList, limits, options);
}
