/** `torc reports failures`: failed jobs grouped by cause and message, as a table or a picture. */
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { type FailureRow, failuresPicture } from '../output/failures-svg.ts';
import { textTable } from '../output/output.ts';
import { printReport } from '../output/report.ts';
import type { ReportOptions } from '../output/report-format.ts';
import { type Analysis, analyze, jsonOf, mostJobs } from './logs-analyze.ts';

export interface FailureReportOptions extends ReportOptions {
  limit?: number;
}

export async function reportFailures(context: Context, key: string | null, options: FailureReportOptions) {
  const analysis = await withConnection(context, async ({ api }) => {
    const workflowKey = await chooseWorkflow(context, api, key, 'reads');
    return await analyze(context, api, workflowKey, options.limit ?? mostJobs);
  });
  await printReport(context, options, {
    value: jsonOf(analysis),
    csv: () => ({ columns: csvColumns, rows: failureRows(analysis) }),
    text: () => textOf(context, analysis),
    picture: () => failuresPicture(`workflow ${analysis.workflowKey}`, failureRows(analysis)),
  });
}

const csvColumns = ['count', 'cause', 'return_codes', 'message', 'job_key', 'job_name', 'advice'] as const;

/** A row for each group, the largest first. */
export function failureRows({ groups }: Analysis): FailureRow[] {
  return groups.map(({ group, advice }) => ({
    count: group.count,
    cause: group.cause,
    return_codes: group.returnCodes.slice(0, 5).join(' '),
    message: group.pattern === '' ? (group.unread ?? 'they wrote nothing') : group.pattern,
    job_key: group.example.jobKey,
    job_name: group.example.jobName,
    advice: advice.text,
  }));
}

function textOf(context: Context, analysis: Analysis): string {
  const { workflowKey, numFailures, numRead } = analysis;
  if (numRead === 0) return `No failed jobs in workflow ${workflowKey}.\n`;
  const few = numRead < numFailures ? `, of which the first ${numRead} were read (--limit)` : '';
  const rows = failureRows(analysis).map((row) => ({
    ...{ jobs: row.count, cause: row.cause, codes: row.return_codes, example: row.job_key, message: row.message },
  }));
  const table = textTable(context, ['jobs', 'cause', 'codes', 'example', 'message'], rows);
  return `${counted(numFailures, 'failed job')} in ${counted(rows.length, 'group')}${few}\n${table}
last lines and advice: ${context.torc} logs analyze ${workflowKey}\n`;
}
