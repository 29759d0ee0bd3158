/** The recoveries of workflows that do so by themselves, while no server runs that does it. */
import type { RestartPlan, StatusReply } from '../../api/contract.ts';
import { delay } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { startOwnServer } from '../connection/action-server.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { submitRecoveryNodes } from './recover-nodes.ts';
import { restartRequest } from './workflows-restart.ts';

const mostTries = 20;
const retryMs = 1000;

/** Waits until the next one is due and does it; ends early when the signal fires. Throws what keeps it from that. */
export async function recoverHere(context: Context, reply: StatusReply, signal: AbortSignal): Promise<void> {
  const due = reply.workflows.flatMap(({ workflow_key: key, recovers_at: at }) =>
    at === null ? [] : [{ key, at: Date.parse(at) }],
  );
  const [next] = due.toSorted((a, b) => a.at - b.at);
  if (next === undefined || reply.is_served) return;
  await delay(context.clock, Math.max(0, next.at - context.clock.now()), signal);
  for (let numTries = 1; !signal.aborted; numTries += 1) {
    try {
      return await recoverOne(context, next.key);
    } catch (error) {
      // another command had the database, or served and has just ended
      const isPassing = error instanceof TorcError && (error.code === 'busy' || error.code === 'unreachable');
      if (!isPassing || numTries >= mostTries) throw error;
    }
    await delay(context.clock, retryMs, signal);
  }
}

async function recoverOne(context: Context, key: string): Promise<void> {
  const plan = await recoverNow(context, key).catch((error: unknown) => {
    // a server has come, or another command has done it
    if (error instanceof TorcError && error.code === 'conflict' && error.message.startsWith('no recovery')) return null;
    throw error;
  });
  if (plan === null || !plan.begins_run || plan.recovered === null) return;
  const { nodes_by: by } = plan.recovered;
  if (by === 'autoscaler' || by === 'actions') await startOwnServer(context);
  await submitRecoveryNodes(context, plan);
}

function recoverNow(context: Context, key: string): Promise<RestartPlan> {
  const choice = { memory_factor: null, runtime_factor: null, retry_unknown: false, automatic: true };
  const request = { ...restartRequest(key, {}), recover: choice };
  return withConnection(context, ({ api }) =>
    api.call('workflow_restart', { ...request, dry_run: false, expected_state: null, skip: 0 }),
  );
}
