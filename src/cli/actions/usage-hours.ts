/** `torc reports usage`: node-hours and CPU-hours of allocations, and what jobs made of them. */
import type { AllocationUsage, Api, ListRecord, UsageTotal } from '../../api/contract.ts';
import { totalHours } from '../../model/decide/node-hours.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { listPages } from '../input/list.ts';
import { chosenRecords, columnOf, type RecordOptions } from '../input/record-list.ts';
import { chooseWorkflows } from '../input/workflow-key.ts';
import { printResult, textTable } from '../output/output.ts';
import { printCsv } from '../plans/output.ts';

export interface UsageOptions extends RecordOptions {
  by: 'allocation' | 'workflow';
  /** Of text and CSV, in this order. */
  columns?: readonly string[];
}

type AllocationRow = AllocationUsage & { workflow_key: string };
type WorkflowRow = UsageTotal & {
  workflow_key: string;
  name: string;
  num_allocations: number;
  is_running: boolean;
};

type Row = AllocationRow | WorkflowRow;

export async function reportUsage(context: Context, words: readonly string[], options: UsageOptions): Promise<void> {
  const read = options.by === 'workflow' ? workflowRows : allocationRows;
  const rows = await withConnection<Row[]>(context, ({ api }) => read(context, api, words));
  const list = { name: `rows of each ${options.by}`, columns: fieldsOf(options.by) };
  const columns = options.columns?.map((column) => columnOf(list, column)) ?? null;
  const usage = chosenRecords(list, rows, options);
  const total = totalHours(usage);
  if (context.format === 'csv') return printCsv<ListRecord>(context, columns ?? list.columns, usage);
  await printResult(context, { by: options.by, usage, total }, () =>
    columns === null ? usageText(context, options.by, usage, total) : textTable(context, columns, usage),
  );
}

async function allocationRows(context: Context, api: Api, words: readonly string[]): Promise<AllocationRow[]> {
  const { keys } = await chooseWorkflows(context, api, words, 'reads');
  const rows: AllocationRow[] = [];
  for (const workflow_key of keys) {
    const { allocations } = await api.call('usage_hours', { workflow_key });
    for (const row of allocations) rows.push({ workflow_key, ...row });
  }
  return rows;
}

/** Those that are named, or all that are not archived and have had workers. */
async function workflowRows(context: Context, api: Api, words: readonly string[]): Promise<WorkflowRow[]> {
  const isNamed = words.length > 0 || context.workflowKey !== null;
  const user = context.userOption === null ? [] : [{ column: 'user', value: context.userOption }];
  const filter = isNamed
    ? [{ column: 'workflow_key', value: (await chooseWorkflows(context, api, words, 'reads')).keys.join(',') }]
    : [{ column: 'is_archived', value: 'false' }, ...user];
  const rows: WorkflowRow[] = [];
  for await (const page of listPages(api, 'workflows', null, { filter, excludeColumn: [] })) {
    for (const workflow of page) {
      const workflow_key = String(workflow.workflow_key);
      const { allocations, total } = await api.call('usage_hours', { workflow_key });
      if (allocations.length === 0 && !isNamed) continue;
      const num_allocations = allocations.filter(({ allocation_key }) => allocation_key !== null).length;
      const is_running = allocations.some((row) => row.is_running);
      rows.push({ workflow_key, name: String(workflow.name), num_allocations, is_running, ...total });
    }
  }
  return rows;
}

const hourFields = ['node_hours', 'cpu_hours', 'job_cpu_hours', 'used_cpu_hours', 'idle_share', 'efficiency'] as const;

function fieldsOf(by: UsageOptions['by']): readonly string[] {
  const counts = ['num_workers', 'num_attempts'];
  if (by === 'workflow') {
    return ['workflow_key', 'name', 'num_allocations', ...counts, ...hourFields, 'is_running'];
  }
  const place = ['workflow_key', 'allocation_key', 'slurm_job_id', 'hostname', 'num_nodes'];
  return [...place, ...counts, ...hourFields, 'started_at', 'ended_at', 'is_running'];
}

function usageText(context: Context, by: UsageOptions['by'], rows: readonly Row[], total: UsageTotal): string {
  const isOfSeveral = new Set(rows.map(({ workflow_key }) => workflow_key)).size > 1;
  const first = by === 'workflow' ? ['workflow', 'name'] : [...(isOfSeveral ? ['workflow'] : []), 'where', 'nodes'];
  const columns = [...first, 'node_hours', 'cpu_hours', 'in_jobs', 'used', 'idle', 'state'];
  const [head = ''] = first;
  const shown = rows.map((row) => ({ ...placeOf(row), ...hoursOf(row), state: row.is_running ? 'running' : 'ended' }));
  const sum = rows.length > 1 ? [{ [head]: 'total', ...hoursOf(total), state: null }] : [];
  return textTable(context, columns, [...shown, ...sum]);
}

function placeOf(row: Row): ListRecord {
  if ('name' in row) return { workflow: row.workflow_key, name: row.name };
  return { workflow: row.workflow_key, where: row.slurm_job_id ?? row.hostname, nodes: row.num_nodes };
}

function hoursOf(row: UsageTotal): ListRecord {
  return {
    node_hours: shortened(row.node_hours),
    cpu_hours: shortened(row.cpu_hours),
    in_jobs: shortened(row.job_cpu_hours),
    used: shortened(row.used_cpu_hours),
    idle: row.idle_share === null ? null : `${Math.round(row.idle_share * 100)} %`,
  };
}

/** Two decimals, more of what is less than an hour. */
function shortened(hours: number): number {
  return hours < 1 ? Number(hours.toPrecision(2)) : Math.round(hours * 100) / 100;
}
