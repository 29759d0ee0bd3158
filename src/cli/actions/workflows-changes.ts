/** `torc workflows modify|set-compute-node-parameters`. */

import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { parseJson } from '../../base/exact-json.ts';
import type { TerminationSignal } from '../../model/expanded.ts';
import type { Execution } from '../../model/launch.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { type AttributeOptions, attributeChanges } from '../input/attributes.ts';
import { existingDirectory } from '../input/base-directory.ts';
import { changesTable } from '../input/changed-fields.ts';
import { type EnvironmentOptions, environmentChanges } from '../input/environment.ts';
import type { StdioOption } from '../input/options.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';

export interface ModifyWorkflowOptions extends StdioOption, AttributeOptions, EnvironmentOptions {
  name?: string;
  description?: string;
  project?: string;
  metadata?: string;
  pin?: boolean;
  execution?: Execution;
  maxLosses?: number;
  maxDynamicJobs?: number;
  failFast?: boolean;
  maxFailures?: number;
  maxConcurrentJobs?: number | 'none';
  maxRecoveries?: number;
  timeout?: number;
  terminationSignal?: TerminationSignal;
  sigtermLeadSeconds?: number;
  baseDirectory?: string;
  archive?: boolean;
  unarchive?: boolean;
}

export interface NodeParameters {
  expirationBuffer?: number;
  waitForHealthyDatabase?: number;
  ignoreWorkflowCompletion?: boolean;
  waitForNewJobs?: number;
}

type Changes = Request<'workflow_modify'>['changes'];

export async function modifyWorkflow(
  context: Context,
  key: string | null,
  options: ModifyWorkflowOptions,
): Promise<void> {
  const { name, description, project, metadata, stdio, maxLosses, maxDynamicJobs, archive, unarchive } = options;
  const { terminationSignal, sigtermLeadSeconds } = options;
  if (archive === true && unarchive === true) {
    throw new TorcError('usage', '--archive and --unarchive cannot be combined', 'Give only one of them.');
  }
  if (name?.trim() === '') throw new TorcError('usage', '--name is empty', 'Every workflow has a name.');
  await applyChanges(context, key, {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description: description === '' ? null : description }),
    ...(project === undefined ? {} : { project: project === '' ? null : project }),
    ...(metadata === undefined ? {} : { metadata: parsedMetadata(metadata) }),
    ...attributeChanges(options),
    ...environmentChanges(context, options),
    ...(stdio === undefined ? {} : { stdio }),
    ...(options.pin === undefined ? {} : { pin: options.pin }),
    ...(options.execution === undefined ? {} : { execution: options.execution }),
    ...(maxLosses === undefined ? {} : { max_losses: maxLosses }),
    ...(maxDynamicJobs === undefined ? {} : { max_dynamic_jobs: maxDynamicJobs }),
    ...limitChanges(options),
    ...(terminationSignal === undefined ? {} : { termination_signal: terminationSignal }),
    ...(sigtermLeadSeconds === undefined ? {} : { sigterm_lead_seconds: sigtermLeadSeconds }),
    ...(options.baseDirectory === undefined ? {} : { base_directory: await existingDirectory(options.baseDirectory) }),
    ...(archive === undefined && unarchive === undefined ? {} : { is_archived: archive === true }),
  });
}

/** 0 takes a limit away. */
function limitChanges(options: ModifyWorkflowOptions): Changes {
  const { failFast, maxFailures, maxConcurrentJobs, maxRecoveries, timeout } = options;
  if (failFast === true && maxFailures !== undefined && maxFailures !== 1) {
    throw new TorcError('usage', '--fail-fast means --max-failures 1', 'Give only one of them.');
  }
  const most = failFast === true ? 1 : maxFailures;
  return {
    ...(most === undefined ? {} : { max_failures: most === 0 ? null : most }),
    ...(maxConcurrentJobs === undefined
      ? {}
      : { max_concurrent_jobs: maxConcurrentJobs === 'none' ? null : maxConcurrentJobs }),
    ...(maxRecoveries === undefined
      ? {}
      : { recovery: maxRecoveries === 0 ? null : { max_recoveries: maxRecoveries } }),
    ...(timeout === undefined ? {} : { timeout_seconds: timeout === 0 ? null : timeout }),
  };
}

function parsedMetadata(text: string): Changes['metadata'] {
  try {
    return parseJson(text) as Changes['metadata'];
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new TorcError('usage', `--metadata is not JSON: ${words}`, `For example: --metadata '{"grant": 12}'`);
  }
}

export async function setNodeParameters(context: Context, key: string | null, options: NodeParameters): Promise<void> {
  const { expirationBuffer, waitForHealthyDatabase, ignoreWorkflowCompletion, waitForNewJobs } = options;
  await applyChanges(context, key, {
    ...(expirationBuffer === undefined ? {} : { expiration_buffer_seconds: expirationBuffer }),
    ...(waitForHealthyDatabase === undefined ? {} : { wait_for_healthy_database_minutes: waitForHealthyDatabase }),
    ...(ignoreWorkflowCompletion === undefined ? {} : { ignore_workflow_completion: ignoreWorkflowCompletion }),
    ...(waitForNewJobs === undefined ? {} : { wait_for_new_jobs_seconds: waitForNewJobs }),
  });
}

async function applyChanges(context: Context, key: string | null, changes: Changes): Promise<void> {
  if (Object.keys(changes).length === 0) {
    throw new TorcError('usage', 'no changes were given', `${context.torc} workflows modify --help`);
  }
  const reply = await withConnection(context, async ({ api }) => {
    const workflow_key = await chooseWorkflow(context, api, key);
    return api.call('workflow_modify', { workflow_key, changes });
  });
  await printResult(context, reply, () => {
    const what = `workflow ${reply.workflow_key} (${cellText(reply.name)})`;
    return reply.changes.length === 0
      ? `nothing to change: ${what} already has these values\n`
      : `${changesTable(context, reply.changes)}changed ${what}\n`;
  });
}
