/** `torc resource-requirements modify`: what all jobs with these requirements ask for. */
import { TorcError } from '../../base/errors.ts';
import { changesTable, resourceChanges } from '../changed-fields.ts';
import type { ResourceOptions } from '../commands/resource-requirements.ts';
import type { Context } from '../context.ts';
import { findByNameOrKey } from '../name-or-key.ts';
import { printResult } from '../output.ts';
import { cellText } from '../output-text.ts';
import { withConnection } from '../session.ts';
import { counted } from '../words.ts';
import { chooseWorkflow } from '../workflow-key.ts';

export async function modifyRequirements(context: Context, nameOrKey: string, options: ResourceOptions): Promise<void> {
  const changes = resourceChanges(options);
  if (Object.keys(changes).length === 0) {
    throw new TorcError('usage', 'nothing to change was named', `${context.torc} resource-requirements modify --help`);
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
    if (reply.changes.length === 0) return `${what} are so already\n`;
    const of = `${what}, used by ${counted(reply.num_jobs, 'job')}`;
    const line = reply.dry_run ? `dry run: ${of}, would be changed` : `changed ${of}`;
    return `${changesTable(context, reply.changes)}${line}\n`;
  });
}
