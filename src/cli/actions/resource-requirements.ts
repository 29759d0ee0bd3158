/** `torc resource-requirements add|modify`: named requirements of jobs. */
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import type { ResourceOptions } from '../input/changed-fields.ts';
import { changesTable, resourceChanges } from '../input/changed-fields.ts';
import { findByNameOrKey } from '../input/name-or-key.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';

export async function modifyRequirements(context: Context, nameOrKey: string, options: ResourceOptions): Promise<void> {
  const changes = resourceChanges(options);
  if (Object.keys(changes).length === 0) {
    throw new TorcError('usage', 'no changes were given', `${context.torc} resource-requirements modify --help`);
  }
  const reply = await withConnection(context, async ({ api }) => {
    const workflowKey = await chooseWorkflow(context, api, null);
    const found = await findByNameOrKey(context, api, 'resource_requirements', workflowKey, nameOrKey);
    const key = String(found.resource_requirements_key);
    return api.call('resource_requirements_modify', {
      resource_requirements_key: key,
      dry_run: options.dryRun === true,
      changes,
    });
  });
  await printResult(context, reply, () => {
    const what = `resource requirements ${cellText(reply.name)}`;
    if (reply.changes.length === 0) return `nothing to change: ${what} already have these values\n`;
    const of = `${what}, used by ${counted(reply.num_jobs, 'job')}`;
    const line = reply.dry_run ? `dry run: ${of}, would be changed` : `changed ${of}`;
    return `${changesTable(context, reply.changes)}${line}\n`;
  });
}

export async function addRequirements(context: Context, name: string, options: ResourceOptions): Promise<void> {
  if (name === '') throw new TorcError('usage', 'the name of the resource requirements is empty', null);
  const stated = resourceChanges(options);
  const need = {
    num_cpus: stated.num_cpus ?? 1,
    memory_bytes: stated.memory_bytes ?? null,
    gpu_thousandths: stated.gpu_thousandths ?? 0,
    num_nodes: options.nodes ?? 1,
    runtime_ms: stated.runtime_ms ?? null,
    expected_runtime_ms: stated.expected_runtime_ms ?? null,
    resources: stated.resources ?? {},
  };
  await withConnection(context, async ({ api }) => {
    const workflow_key = await chooseWorkflow(context, api, null);
    const added = await api.call('resource_requirements_add', { workflow_key, name, ...need });
    await printResult(context, { ...added, workflow_key, name }, () => {
      const key = added.resource_requirements_key;
      return `added resource requirements ${cellText(name)} (key ${key}) to workflow ${workflow_key}\n`;
    });
  });
}
