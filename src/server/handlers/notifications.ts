/** `torc notifications test`: sends a message to each rule at once, past the outbox, and says whether it was sent. */
import type { Reply, Request } from '../../api/contract.ts';
import { asTorcError, TorcError } from '../../base/errors.ts';
import { shownTarget, type ToldFacts } from '../../model/notification.ts';
import { notificationRules, type StoredRule } from '../../storage/running/notifications.ts';
import { getWorkflow } from '../../storage/running/workflows.ts';
import { workflowFacts } from '../../storage/runs/messages.ts';
import { deliver, textOf } from '../actions/deliver.ts';
import type { ServerContext } from '../context.ts';

/** All rules at the same time, so that the command gets its answer in time. */
const timeLimitMs = 45_000;

export async function testNotifications(
  context: ServerContext,
  { workflow_key, notification_key, dry_run }: Request<'notifications_test'>,
): Promise<Reply<'notifications_test'>> {
  const { workflowKey, baseDirectory } = getWorkflow(context.view, Number(workflow_key));
  const rules = chosenRules(notificationRules(context.view, workflowKey), workflow_key, notification_key);
  const facts: ToldFacts = {
    ...workflowFacts(context.view, workflowKey),
    told_at: context.clock.now(),
    event: 'test',
    jobs: [],
    num_concerned: 0,
  };
  const abort = AbortSignal.timeout(timeLimitMs);
  const test = async (rule: StoredRule): Promise<string | null> => {
    const id = `torc-${context.info.identity}-test-${rule.notificationKey}-${facts.told_at}`;
    try {
      if (!dry_run) await deliver(context, { ...rule, id, facts, baseDirectory, outputKey: 0 }, abort);
      return null;
    } catch (error) {
      return abort.aborted ? `it took longer than ${timeLimitMs / 1000} seconds` : asTorcError(error).message;
    }
  };
  const notifications = rules.map(async (rule) => ({
    notification_key: String(rule.notificationKey),
    kind: rule.kind,
    target: shownTarget(rule),
    error: await test(rule),
  }));
  return { workflow_key, ...textOf(context, facts), notifications: await Promise.all(notifications) };
}

function chosenRules(rules: readonly StoredRule[], workflowKey: string, key: string | null): readonly StoredRule[] {
  if (rules.length === 0) {
    const hint = 'Write them into its specification: docs/notifications.md';
    throw new TorcError('not_found', `workflow ${workflowKey} has no notifications`, hint);
  }
  if (key === null) return rules;
  const chosen = rules.filter(({ notificationKey }) => String(notificationKey) === key);
  if (chosen.length > 0) return chosen;
  const hint = `torc notifications list ${workflowKey}`;
  throw new TorcError('not_found', `workflow ${workflowKey} has no notification ${key}`, hint);
}
