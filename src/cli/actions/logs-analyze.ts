/** `torc logs analyze`: failed jobs grouped by cause and by what their last lines have in common. */
import type { Api } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import { type Failure, type FailureGroup, FailureGroups } from '../../model/decide/failure-groups.ts';
import { saysEnough } from '../../model/decide/failure-signature.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { type Advice, adviceFor } from '../output/failure-advice.ts';
import { failedOutputs, type LogEnds, readEnds } from '../output/log-ends.ts';
import { printResult } from '../output/output.ts';
import { startProgress } from '../output/progress.ts';
import { cellText } from '../output/table.ts';

/** Failed jobs whose logs are read. */
export const mostJobs = 10_000;
const endBytes = 8 * 1024;

export interface Analysis {
  workflowKey: string;
  numFailures: number;
  numRead: number;
  groups: { group: FailureGroup; advice: Advice }[];
}

export async function analyzeLogs(context: Context, key: string | null, options: { limit?: number }): Promise<void> {
  const analysis = await withConnection(context, async ({ api }) => {
    const workflowKey = await chooseWorkflow(context, api, key, 'reads');
    return await analyze(context, api, workflowKey, options.limit ?? mostJobs);
  });
  const value = jsonOf(analysis);
  await printResult(context, value, () => textOf(analysis));
}

/**
 * Reads the ends of the failed jobs' outputs, at most of this many jobs. `onRead` gets each page with both streams; without
 * it, stdout is read only where stderr does not name the error.
 */
export async function analyze(
  context: Context,
  api: Api,
  workflowKey: string,
  most: number,
  onRead?: (ends: readonly LogEnds[]) => void,
): Promise<Analysis> {
  const { num_failed, counts, num_lost } = await api.call('workflow_show', { workflow_key: workflowKey });
  const numFailures = num_failed + counts.terminated + num_lost;
  const groups = new FailureGroups();
  const progress = startProgress(context);
  let numRead = 0;
  for await (const jobs of failedOutputs(api, workflowKey, most)) {
    const ends = await readEnds(jobs, endBytes, onRead === undefined ? saysEnough : undefined);
    for (const end of ends) groups.add(failureOf(end));
    onRead?.(ends);
    numRead += jobs.length;
    progress.update(`read the logs of ${numRead} of ${counted(numFailures, 'failed job')}`);
  }
  progress.clear();
  const found = groups.all().map((group) => {
    const { jobKey } = group.example;
    const job = {
      workflowKey,
      isRead: group.unread === null,
      jobKey,
      cause: group.cause,
      count: group.count,
      memoryBytes: group.example.memoryBytes,
    };
    return { group, advice: adviceFor(context, job) };
  });
  return { workflowKey, numFailures: Math.max(numFailures, numRead), numRead, groups: found };
}

function failureOf({ shown: { job_key, job_name, attempt }, stdout, stderr, unread }: LogEnds): Failure {
  return {
    jobKey: job_key,
    jobName: job_name,
    runId: attempt?.run_id ?? 0,
    attemptId: attempt?.attempt_id ?? 0,
    cause: attempt?.cause ?? null,
    returnCode: attempt?.return_code ?? null,
    memoryBytes: attempt?.memory_bytes ?? 0,
    stdout: textOfEnd(stdout),
    stderr: textOfEnd(stderr),
    unread,
  };
}

/** Most jobs wrote nothing to one of them. */
function textOfEnd(end: Buffer): string {
  return end.length === 0 ? '' : end.toString('utf8');
}

export function jsonOf({ workflowKey, numFailures, numRead, groups }: Analysis): object {
  return {
    workflow_key: workflowKey,
    num_failures: numFailures,
    num_read: numRead,
    groups: groups.map(({ group, advice }) => ({
      count: group.count,
      cause: group.cause,
      return_codes: group.returnCodes,
      pattern: group.pattern === '' ? null : group.pattern,
      unread: group.unread,
      example: {
        job_key: group.example.jobKey,
        job_name: group.example.jobName,
        run_id: group.example.runId,
        attempt_id: group.example.attemptId,
      },
      lines: group.lines,
      job_keys: group.jobKeys,
      advice: advice.text,
      commands: advice.commands,
    })),
  };
}

export function textOf({ workflowKey, numFailures, numRead, groups }: Analysis): string {
  if (numRead === 0) return `No failed jobs in workflow ${workflowKey}.\n`;
  const few = numRead < numFailures ? `, of which the first ${numRead} were read (--limit)` : '';
  const head = `${counted(numFailures, 'failed job')} in ${counted(groups.length, 'group')}${few}\n`;
  return head + groups.map(({ group, advice }) => `\n${groupText(group, advice)}`).join('');
}

function groupText(group: FailureGroup, advice: Advice): string {
  const { count, cause, returnCodes, example, lines, unread } = group;
  const codes = returnCodes.length === 0 ? '' : `, return code ${returnCodes.slice(0, 5).join(', ')}`;
  const said =
    unread !== null
      ? `  (${unread})\n`
      : lines.length === 0
        ? '  (they wrote nothing)\n'
        : lines.map((line) => `  | ${cellText(line)}\n`).join('');
  const what = cause === 'exit_code' ? `failed${codes}` : `${cause ?? 'no cause known'}${codes}`;
  const like = count === 1 ? '' : 'for example ';
  return [
    `${counted(count, 'job')}: ${what}; ${like}${cellText(example.jobName)} (${example.jobKey})\n`,
    said,
    `  ${advice.text}:\n`,
    ...advice.commands.map((command) => `    ${command}\n`),
  ].join('');
}
