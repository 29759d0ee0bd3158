/** How workflows recover by themselves, as typed. */
import type { Api, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { defaultMaxRecoveries } from '../../model/decide/recovery.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { chooseWorkflows } from './workflow-key.ts';

export interface RecoveryOptions {
  /** Failed runs recover by themselves from now on. */
  recover?: boolean;
  maxRecoveries?: number;
  memoryMultiplier?: number;
  runtimeMultiplier?: number;
  retryUnknown?: boolean;
}

export type RecoverySettings = NonNullable<Request<'workflow_modify'>['changes']['recovery']>;

/** Null without `--recover`. Throws TorcError 'usage' for options that only that gives a meaning. */
export function recoverySettings(options: RecoveryOptions): RecoverySettings | null {
  const { recover, maxRecoveries, memoryMultiplier, runtimeMultiplier, retryUnknown } = options;
  const given = [
    ...(maxRecoveries === undefined ? [] : ['--max-recoveries']),
    ...(memoryMultiplier === undefined ? [] : ['--memory-multiplier']),
    ...(runtimeMultiplier === undefined ? [] : ['--runtime-multiplier']),
    ...(retryUnknown === undefined ? [] : ['--retry-unknown']),
  ];
  if (recover !== true && given.length > 0) {
    throw new TorcError(
      'usage',
      `${given[0]} is for --recover`,
      'Add --recover: then failed runs recover by themselves.',
    );
  }
  if (recover !== true) return null;
  return {
    ...(maxRecoveries === undefined ? {} : { max_recoveries: maxRecoveries }),
    ...(memoryMultiplier === undefined ? {} : { memory_factor: memoryMultiplier }),
    ...(runtimeMultiplier === undefined ? {} : { runtime_factor: runtimeMultiplier }),
    ...(retryUnknown === undefined ? {} : { retry_unknown: retryUnknown }),
  };
}

/** Stores it on the chosen workflows; returns their keys. */
export async function setRecoveries(
  context: Context,
  given: readonly string[],
  recovery: RecoverySettings,
): Promise<string[]> {
  return withConnection(context, async ({ api }) => {
    const { keys } = await chooseWorkflows(context, api, given, 'changes');
    for (const workflow_key of keys) await setRecovery(context, api, workflow_key, recovery);
    return keys;
  });
}

/** Stores it on a workflow, and says so. */
export async function setRecovery(
  context: Context,
  api: Api,
  workflow_key: string,
  recovery: RecoverySettings,
): Promise<void> {
  await api.call('workflow_modify', { workflow_key, changes: { recovery } });
  const most = counted(recovery.max_recoveries ?? defaultMaxRecoveries, 'time');
  const off = `${context.torc} workflows modify ${workflow_key} --max-recoveries 0 turns it off`;
  note(context, `workflow ${workflow_key} recovers by itself after a failed run, at most ${most}; ${off}`);
}
