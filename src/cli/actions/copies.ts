/** `torc clone|rerun`: stores a copy of a workflow, and starts it on request. */
import type { Reply } from '../../api/contract.ts';
import { asTorcError, TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { startOwnServer } from '../connection/action-server.ts';
import type { Connection } from '../connection/connection.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { cellText } from '../output/table.ts';
import { shown } from '../plans/apply.ts';
import { changesText, printPlan } from '../plans/output.ts';
import { type Started, type StartOptions, startStored, startText } from './workflows-start-cancel-delete.ts';

export interface CopyOptions extends StartOptions {
  name?: string;
  start?: boolean;
}

type Copied = Reply<'workflow_copy'>;

export async function copyWorkflow(
  context: Context,
  how: 'clone' | 'rerun',
  key: string | null,
  options: CopyOptions,
): Promise<void> {
  if (options.name?.trim() === '') throw new TorcError('usage', '--name is empty', 'Every workflow has a name.');
  const isServerMissing = await withConnection(context, async (connection) => {
    const source = await chooseWorkflow(context, connection.api, key);
    const request = {
      workflow_key: source,
      how,
      dry_run: options.dryRun ?? false,
      name: options.name ?? null,
    };
    const copied = await shown(context, `copying workflow ${source}`, connection.api.call('workflow_copy', request));
    const started = await startCopy(context, connection, copied, options);
    const value = options.start === true ? { ...copied, start: started?.plan ?? null } : copied;
    await printPlan(context, value, copied.changes, () => copyText(context, copied, started, options.start === true));
    return started?.startsServer === true;
  });
  if (isServerMissing) await startOwnServer(context);
}

async function startCopy(
  context: Context,
  connection: Connection,
  { workflow_key: key }: Copied,
  { start, ignoreMissingData }: CopyOptions,
): Promise<Started | null> {
  if (start !== true || key === null) return null;
  try {
    return await startStored(context, connection, key, { ignoreMissingData: ignoreMissingData ?? false });
  } catch (error) {
    const { code, message, hint } = asTorcError(error);
    throw new TorcError(code, `workflow ${key} was created but has not started: ${message}`, hint, { cause: error });
  }
}

function copyText(context: Context, copied: Copied, started: Started | null, isStarting: boolean): string {
  const { workflow_key: key, source_workflow_key: source, parent_workflow_key: parent } = copied;
  const jobs = parent === null ? copied.num_jobs : copied.num_changes;
  const inherited = parent === null ? '' : `, ${counted(copied.num_inherited, 'result')} inherited`;
  const what = `${parent === null ? 'a clone' : 'a rerun'} of workflow ${source}: ${counted(jobs, 'job')} to run${inherited}`;
  const changes = changesText(context, copied);
  if (key === null) {
    const start = isStarting ? ' and started' : '';
    return `${changes}dry run: a workflow (${cellText(copied.name)}) would be created${start}, ${what}; nothing was changed\n`;
  }
  const line = `${changes}created workflow ${key} (${cellText(copied.name)}), ${what}\n`;
  if (started !== null) return `${line}${startText(context, started)}`;
  return `${line}  start it:  ${context.torc} workflows start ${key}\n`;
}
