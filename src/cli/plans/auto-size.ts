/** `--auto-size`: a new workflow asks for what its jobs have used before. */
import type { Api, Reply } from '../../api/contract.ts';
import type { StoredSite } from '../../api/sites.ts';
import { asTorcError, TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { formatDuration, formatMemory, slurmMemoryBytes } from '../../base/units.ts';
import type { AutoSize, JobSize, SizedField, SizeNote } from '../../model/auto-size.ts';
import { autoSized, leastAttempts, type RoomOf } from '../../model/decide/auto-size.ts';
import type { ExpandedScheduler, ExpandedWorkflow } from '../../model/expanded.ts';
import { placeOf } from '../../model/plan/places.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import type { AutoSizeOptions } from '../input/auto-size-options.ts';
import { storedSite } from '../input/site.ts';
import { workflowsOfName } from '../input/workflow-key.ts';
import { textTable } from '../output/output.ts';
import { cellText } from '../output/table.ts';

/**
 * The workflow with its jobs' requests replaced, as typed; shows what becomes of each. `schedulersOf`: the Slurm configs
 * that it will have.
 */
export async function withAutoSize(
  context: Context,
  workflow: ExpandedWorkflow,
  { autoSize = false, autoSizeFrom }: AutoSizeOptions,
  schedulersOf: () => readonly ExpandedScheduler[] = () => workflow.schedulers,
): Promise<ExpandedWorkflow> {
  if (!autoSize && autoSizeFrom === undefined) return workflow;
  const schedulers = schedulersOf();
  const { earlier, site } = await withConnection(
    context,
    async ({ api }) => ({
      earlier: await askEarlier(context, api, workflow, autoSizeFrom ?? null),
      site: await storedSite(api),
    }),
    { leavesServer: true },
  ).catch((error: unknown) => {
    // a dry run makes no database; where there is none, nothing has been measured
    if (autoSizeFrom !== undefined || asTorcError(error).code !== 'not_found') throw error;
    return nothingEarlier;
  });
  if (earlier.workflow_keys.length === 0 && autoSizeFrom !== undefined) {
    throw new TorcError(
      'usage',
      `no job of workflow ${autoSizeFrom} has been measured, so it cannot size others`,
      `${context.torc} reports resources ${autoSizeFrom} shows what is known.`,
    );
  }
  const use = new Map(earlier.usage.map(({ stem, memory, runtime }) => [stem, { memory, runtime }]));
  const sized = autoSized(workflow, { workflowKeys: earlier.workflow_keys, use }, roomsOf(schedulers, site));
  showSizes(context, workflow, sized.autoSize);
  return sized;
}

/** For programs; nothing where requests are as written. */
export function sizeValue({ autoSize }: ExpandedWorkflow): { auto_size?: AutoSize } {
  return autoSize === undefined ? {} : { auto_size: autoSize };
}

const nothingEarlier = { earlier: { workflow_keys: [], usage: [] }, site: null };

async function askEarlier(
  context: Context,
  api: Api,
  { name }: ExpandedWorkflow,
  from: string | null,
): Promise<Reply<'usage_earlier'>> {
  if (from === null) return api.call('usage_earlier', { name, workflow_key: null });
  const keys = await workflowsOfName({ ...context, workflowKey: null }, api, from);
  for (const workflow_key of keys) {
    const earlier = await api.call('usage_earlier', { name, workflow_key });
    if (earlier.workflow_keys.length === 0) continue;
    const of = `workflow ${workflow_key} (${cellText(from)}), the newest of ${keys.length} with measured jobs`;
    if (keys.length > 1) note(context, `auto-size: using ${of}`, 'warning');
    return earlier;
  }
  return nothingEarlier.earlier;
}

// ------------------------------------------------------------------ the most that jobs can have

type Room = ReturnType<RoomOf>;

function roomsOf(schedulers: readonly ExpandedScheduler[], site: StoredSite | null): RoomOf {
  const rooms = schedulers.map((scheduler) => roomOf(scheduler, site));
  const most = (field: keyof Room): number | null => {
    const values = rooms.map((room) => room[field]);
    return values.length === 0 || values.includes(null) ? null : Math.max(...(values as number[]));
  };
  const any = { memoryBytes: most('memoryBytes'), runtimeMs: most('runtimeMs') };
  return (scheduler) => (scheduler === null ? any : (rooms[scheduler] ?? any));
}

/** What the config states, and what the nodes of its partitions have. */
function roomOf({ mem, walltimeSeconds, partition: names }: ExpandedScheduler, site: StoredSite | null): Room {
  const wanted = names?.split(',') ?? null;
  const places = (site?.partitions ?? [])
    .filter(({ name, is_default }) => (wanted === null ? is_default : wanted.includes(name)))
    .flatMap((partition) => partition.nodes.map((kind) => placeOf(partition, kind)));
  const nodeBytes = places.length === 0 ? null : Math.max(...places.map(({ memoryBytes }) => memoryBytes));
  const memory = [slurmMemoryBytes(mem), nodeBytes].filter((bytes) => bytes !== null);
  const times = places.map(({ longestMs }) => longestMs ?? Number.POSITIVE_INFINITY);
  return {
    memoryBytes: memory.length === 0 ? null : Math.min(...memory),
    runtimeMs: Math.min(walltimeSeconds * 1000, times.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...times)),
  };
}

// ------------------------------------------------------------------ for people

/** More forms of names are counted only. */
const mostShown = 30;

function showSizes(
  context: Context,
  { name }: ExpandedWorkflow,
  { workflow_keys, sizes, num_unlisted }: AutoSize,
): void {
  if (workflow_keys.length === 0) {
    const why = `you have no earlier workflow ${cellText(name)} with measured jobs`;
    note(context, `auto-size: ${why}; requests stay as they are`);
    return;
  }
  if (context.format !== 'text') return;
  const of = workflow_keys.length === 1 ? `workflow ${workflow_keys[0]}` : `workflows ${workflow_keys.join(', ')}`;
  const rows = sizes
    .slice(0, mostShown)
    .flatMap((size) => [
      sizeRow(size, 'memory', size.memory_bytes, formatMemory),
      sizeRow(size, 'runtime', size.runtime_seconds, formatDuration),
    ]);
  const columns = ['jobs', 'earlier', 'measure', 'requested', 'p95', 'max', 'new', 'note'];
  const more = sizes.length - mostShown;
  const lines = [
    ...(more > 0 ? [`and ${counted(more, 'more form')} of names (-F json has them)\n`] : []),
    ...(num_unlisted > 0 ? [`and ${counted(num_unlisted, 'job')} with names of other forms, not measured\n`] : []),
  ];
  const head = `auto-size: requests by what jobs of ${of} have used\n`;
  context.terminal.err(`${head}${textTable(context, columns, rows)}${lines.join('')}\n`);
}

const noteTexts: Readonly<Record<SizeNote, string>> = {
  not_measured: 'not measured',
  few_attempts: `fewer than ${leastAttempts} attempts`,
  from_data: 'comes from data',
  scheduler: 'the most that its workers have',
  expected_runtime: 'its expected runtime',
};

function sizeRow(size: JobSize, measure: string, field: SizedField, text: (value: number) => string) {
  const shown = (value: number | null): string | null => (value === null ? null : text(value));
  return {
    jobs: size.stem,
    earlier: size.num_attempts,
    measure,
    requested: shown(field.requested),
    p95: shown(field.p95),
    max: shown(field.max),
    new: shown(field.new_request),
    note: field.note === null ? null : noteTexts[field.note],
  };
}
