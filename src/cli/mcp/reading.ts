/** What an assistant can read: the same records as the commands show, in pieces that it can take in. */
import { z } from 'zod';
import type { Api } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import { jobPage, workflowPage } from '../answers/answers.ts';
import { readTail } from '../answers/read-log.ts';
import type { Context } from '../context/context.ts';
import { parseFilter } from '../input/filters.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { FailedJobs } from '../output/failures.ts';

export interface ReadingTool<Input extends z.ZodType = z.ZodType> {
  name: string;
  title: string;
  description: string;
  input: Input;
  read: (context: Context, api: Api, input: z.infer<Input>) => Promise<object>;
}

const lists = ['jobs', 'results', 'events', 'compute_nodes', 'allocations', 'files', 'user_data', 'runs'] as const;
const usualRows = 20;
const mostRows = 200;
const usualLines = 50;
const mostLines = 1000;
const mostLogBytes = 64 * 1024;

export const workflowField = z.string().min(1).max(1000).describe('key or name of the workflow');
export const jobField = z
  .string()
  .regex(/^[1-9][0-9]{0,15}$/)
  .describe('key of the job, as list_records and show_workflow give it');

/** Infers what `read` gets from `input`. */
const tool = <Input extends z.ZodType>(made: ReadingTool<Input>): ReadingTool => made as unknown as ReadingTool;

export const readingTools: readonly ReadingTool[] = [
  tool({
    name: 'list_workflows',
    title: 'List workflows',
    description:
      'How workflows stand: a line for each, the newest first, with jobs counted by status and how they ended, and the time left. Archived ones are left out.',
    input: z.strictObject({
      user: z.string().max(256).optional().describe('only workflows of this user'),
      limit: z.number().int().min(1).max(limits.statusLines).default(usualRows),
    }),
    async read(_context, api, { user = null, limit }) {
      const ask = { workflow_keys: null, user, limit, state: null, wait_seconds: 0 };
      const { workflows, more } = await api.call('status', ask);
      return { workflows, more };
    },
  }),
  tool({
    name: 'show_workflow',
    title: 'Show a workflow',
    description:
      'One workflow: progress by stage, failures grouped by cause with the last lines of standard error, what holds jobs back, workers and allocations, and commands to type next. Begin here when something failed.',
    input: z.strictObject({ workflow: workflowField }),
    async read(context, api, { workflow }) {
      return await workflowPage(
        { context, api, failed: new FailedJobs(context.clock) },
        await chooseWorkflow(context, api, workflow, 'reads'),
      );
    },
  }),
  tool({
    name: 'list_records',
    title: 'List records of a workflow',
    description:
      'Rows of one of the lists of a workflow: jobs, results (attempts that ended), events, compute_nodes (workers), allocations (Slurm jobs), files, user_data, runs. Filters are those of the list commands, such as status=ready, return_code=137 or name=sim_*.',
    input: z.strictObject({
      workflow: workflowField,
      list: z.enum(lists),
      filters: z.array(z.string().max(1000)).max(32).default([]).describe('COLUMN=VALUE; all of them must match'),
      sort_by: z.string().max(128).optional().describe('a column'),
      reverse: z.boolean().default(false),
      limit: z.number().int().min(1).max(mostRows).default(usualRows),
      skip: z.number().int().min(0).default(0),
    }),
    async read(context, api, { workflow, list, filters, sort_by = null, reverse, limit, skip }) {
      const workflow_key = await chooseWorkflow(context, api, workflow, 'reads');
      const ask = { list, workflow_key, filters: filters.map(parseFilter), sort_by, reverse, limit, skip };
      return await api.call('list', ask);
    },
  }),
  tool({
    name: 'show_job',
    title: 'Show a job',
    description:
      'One job: its attempts with return codes, memory and run time used and requested, the cause of a failure, why it waits, its neighbors in the graph, and commands that help.',
    input: z.strictObject({ job: jobField }),
    read: (context, api, { job }) => jobPage(context, api, job),
  }),
  tool({
    name: 'read_log',
    title: 'Read the end of a log',
    description: 'The last lines that an attempt of a job wrote to standard error or standard output.',
    input: z.strictObject({
      job: jobField,
      stream: z.enum(['stderr', 'stdout']).default('stderr'),
      attempt: z
        .string()
        .regex(/^\d{1,9}\.\d{1,9}$/)
        .optional()
        .describe('run and attempt, such as 2.1; the last one by default'),
      lines: z.number().int().min(1).max(mostLines).default(usualLines),
    }),
    async read(_context, api, { job, stream, attempt = null, lines }) {
      const [run_id = 0, attempt_id = 0] = (attempt ?? '').split('.').map(Number);
      const name = attempt === null ? null : { run_id, attempt_id };
      return await readTail(api, job, name, stream, lines, mostLogBytes);
    },
  }),
  tool({
    name: 'show_resource_use',
    title: 'Show requests and use',
    description:
      'What jobs of each kind requested and used (cpus, memory in bytes, run time in seconds: least, median, 95th percentile, most), how many ran out of memory or time, and the request that torc proposes.',
    input: z.strictObject({ workflow: workflowField }),
    async read(context, api, { workflow }) {
      return await api.call('usage', { workflow_key: await chooseWorkflow(context, api, workflow, 'reads') });
    },
  }),
];
