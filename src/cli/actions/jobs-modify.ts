/** `torc jobs modify`: changes the command, resources or priority of a job. */
import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { type AttributeOptions, attributeChanges } from '../input/attributes.ts';
import type { ResourceOptions } from '../input/changed-fields.ts';
import { changesTable, resourceChanges } from '../input/changed-fields.ts';
import { checkedKey } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';

export interface ModifyJobOptions extends ResourceOptions, AttributeOptions {
  command?: string;
  invocationScript?: string;
  name?: string;
  priority?: number;
  cancelOnBlockingJobFailure?: boolean;
  supportsTermination?: boolean;
  taskFailureIsSuccess?: boolean;
}

export async function modifyJob(context: Context, key: string, options: ModifyJobOptions): Promise<void> {
  const changes = jobChanges(options);
  const request = { job_key: checkedKey(key, 'job key'), dry_run: options.dryRun === true, changes };
  if (Object.keys(changes).length === 0) {
    throw new TorcError('usage', 'no changes were given', `${context.torc} jobs modify --help`);
  }
  const reply = await withConnection(context, ({ api }) => api.call('job_modify', request));
  await printResult(context, reply, () => {
    const job = `job ${reply.job_key} (${cellText(reply.job_name)})`;
    if (reply.changes.length === 0) return `nothing to change: ${job} already has these values\n`;
    const what = reply.dry_run ? `dry run: ${job} would be changed` : `changed ${job}`;
    return `${changesTable(context, reply.changes)}${what}\n`;
  });
}

function jobChanges(options: ModifyJobOptions): Request<'job_modify'>['changes'] {
  const { command, name, priority, invocationScript, cancelOnBlockingJobFailure, supportsTermination } = options;
  const { taskFailureIsSuccess } = options;
  for (const [option, value] of Object.entries({ '--command': command, '--name': name })) {
    if (value?.trim() === '') throw new TorcError('usage', `${option} is empty`, 'Every job has a name and a command.');
  }
  return {
    ...(command === undefined ? {} : { command }),
    ...(name === undefined ? {} : { name }),
    ...(priority === undefined ? {} : { priority }),
    ...(invocationScript === undefined
      ? {}
      : { invocation_script: invocationScript.trim() === '' ? null : invocationScript }),
    ...(cancelOnBlockingJobFailure === undefined ? {} : { cancel_on_blocking_job_failure: cancelOnBlockingJobFailure }),
    ...(supportsTermination === undefined ? {} : { supports_termination: supportsTermination }),
    ...(taskFailureIsSuccess === undefined ? {} : { task_failure_is_success: taskFailureIsSuccess }),
    ...resourceChanges(options),
    ...attributeChanges(options),
  };
}
