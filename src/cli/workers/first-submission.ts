/** Waits for what a server submits by itself when a workflow starts, so that its refusal reaches the person who asked. */
import type { Api, ListRecord } from '../../api/contract.ts';
import { delay } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { connectRemote } from '../connection/connection.ts';
import { type Context, note } from '../context/context.ts';
import { startProgress } from '../output/progress.ts';

const lookEveryMs = 200;
/** sbatch takes seconds on a busy cluster; a server that is away longer says so itself. */
const waitMs = 60_000;

interface Firing {
  run_id: number;
  state: string;
  error: string | null;
  result: { slurm_job_ids?: string[]; note?: string } | null;
}

/**
 * The Slurm jobs that the actions at the start of a run have submitted; null when that is not known in time. Throws
 * TorcError 'slurm' with Slurm's words when one was refused.
 */
export async function awaitSubmission(context: Context, workflowKey: string, runId: number): Promise<string[] | null> {
  const connection = await connectRemote(context.directory);
  if (connection === null) return null;
  const progress = startProgress(context);
  const until = context.clock.monotonic() + waitMs;
  try {
    for (;;) {
      const firings = await firingsOf(connection.api, workflowKey, runId);
      if (firings.every(({ state }) => state === 'done' || state === 'failed')) return submittedBy(context, firings);
      if (context.clock.monotonic() > until) return null;
      progress.update('waiting for Slurm to take the allocations');
      await delay(context.clock, lookEveryMs);
    }
  } finally {
    progress.clear();
    await connection.close();
  }
}

function submittedBy(context: Context, firings: readonly Firing[]): string[] {
  const ids = firings.flatMap(({ result }) => result?.slurm_job_ids ?? []);
  const failed = firings.find(({ state }) => state === 'failed');
  if (failed !== undefined) {
    const others = ids.length === 0 ? 'Nothing was submitted' : `Only Slurm jobs ${ids.join(' ')} were submitted`;
    throw new TorcError('slurm', `${(failed.error ?? 'an action failed').replace(/\.$/, '')}. ${others}`);
  }
  for (const { result } of firings) if (result?.note !== undefined) note(context, result.note, 'warning');
  return ids;
}

async function firingsOf(api: Api, workflow_key: string, runId: number): Promise<Firing[]> {
  const { records } = await api.call('list', {
    list: 'actions',
    workflow_key,
    filters: [
      { column: 'action_type', value: 'schedule_nodes' },
      { column: 'trigger_type', value: 'on_workflow_start' },
    ],
    sort_by: null,
    reverse: false,
    limit: 100,
    skip: 0,
  });
  return records
    .flatMap(({ firings }: ListRecord) => firings as unknown as Firing[])
    .filter((one) => one.run_id === runId);
}
