/** `torc jobs add-children`: a running job adds jobs to its workflow. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AddedJob, Reply, Request } from '../../api/contract.ts';
import { runningAttempt } from '../../base/config.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { openJobClient } from '../connection/job-client.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { readBytes, shownName } from '../documents/given-file.ts';
import { checkedKey } from '../input/workflow-key.ts';
import { printResult, textTable } from '../output/output.ts';
import { cellText } from '../output/table.ts';

export interface AddChildrenOptions {
  before: readonly string[];
  now?: boolean;
  dryRun?: boolean;
  commands?: boolean;
  prefix?: string;
  resourceRequirements?: string;
  attempt?: string;
}

type Added = Reply<'jobs_add_children'>;

export async function addChildren(context: Context, file: string, options: AddChildrenOptions): Promise<void> {
  const add = callerFor(context, options.attempt);
  const added = await add({
    jobs: await readJobs(context, file, options),
    before: [...options.before],
    now: options.now === true,
    dry_run: options.dryRun === true,
  });
  await printResult(context, added, () => addedText(context, added));
}

type Call = (request: Omit<Request<'jobs_add_children'>, 'attempt_key'>) => Promise<Added>;

/**
 * Adds jobs for the attempt that is given, as the person, or for the one in which this process runs, with its credential if
 * it has one. Throws 'usage' outside of a job.
 */
export function callerFor(context: Context, given: string | undefined): Call {
  const job = given === undefined ? openJobClient(context) : null;
  const attempt_key = job?.attempt ?? attemptOf(context, given);
  return async (request) => {
    const all = { ...request, attempt_key };
    try {
      if (job !== null) return await job.api.call('jobs_add_children', all);
    } catch (error) {
      // where no server answers, perhaps no process has the database open
      if (!(error instanceof TorcError && error.code === 'unreachable' && hasDatabase(context))) throw error;
    } finally {
      await job?.api.close();
    }
    return await withConnection(context, ({ api }) => api.call('jobs_add_children', all));
  };
}

function hasDatabase({ directory }: Context): boolean {
  return existsSync(join(directory, 'torc.db'));
}

function attemptOf({ directory, env }: Context, given: string | undefined): string {
  const attempt = given ?? runningAttempt(directory, env);
  if (attempt !== undefined) return checkedKey(attempt, 'attempt key');
  throw new TorcError(
    'usage',
    'only a running job adds children, and this command runs outside of any job of this server directory',
    'torc jobs add adds a job for a person; --attempt KEY names the attempt of a job, its $TORC_ATTEMPT_KEY.',
  );
}

async function readJobs(context: Context, file: string, options: AddChildrenOptions): Promise<AddedJob[]> {
  const hint = 'torc jobs add-children --help shows an example.';
  const bytes = readBytes(file, hint);
  const { readChildren } = await import('../../model/expand/children.ts');
  const jobs =
    options.commands === true
      ? await commandJobs(context, file, bytes, options)
      : readChildren(bytes, { file: shownName(file) });
  if (jobs.length > 0) return jobs;
  throw new TorcError('usage', `${shownName(file)} contains no jobs`, hint);
}

/** One job for each line, numbered after the name of the job that adds them. */
async function commandJobs(
  { env }: Context,
  file: string,
  bytes: Buffer,
  options: AddChildrenOptions,
): Promise<AddedJob[]> {
  const { expandCommands } = await import('../../model/expand/commands-file.ts');
  const { expandChildren } = await import('../../model/expand/children.ts');
  const prefix = options.prefix ?? env.TORC_JOB_NAME ?? 'child';
  const { jobs } = expandCommands(bytes, { file: shownName(file), name: prefix });
  const list = Array.from(jobs, ({ command }, number) => ({
    name: `${prefix}_${number + 1}`,
    command,
    resource_requirements: options.resourceRequirements ?? null,
  }));
  return expandChildren(list, { file: shownName(file) });
}

function addedText(context: Context, { dry_run, workflow_key, before, jobs }: Added): string {
  const numNew = jobs.filter(({ is_new }) => is_new).length;
  const numOld = jobs.length - numNew;
  const where = before.length === 0 ? '' : `, before ${before.map(({ name }) => cellText(name)).join(', ')}`;
  const old = numOld === 0 ? '' : `; ${numOld} already existed`;
  if (!dry_run) return `added ${counted(numNew, 'job')} to workflow ${workflow_key}${where}${old}\n`;
  const table = textTable(context, ['name', 'status', 'is_new'], jobs.slice(0, shownJobs));
  return `${table}dry run: ${counted(numNew, 'job')} would be added to workflow ${workflow_key}${where}${old}\n`;
}

/** How many jobs a dry run shows. */
const shownJobs = 100;
