/** An exported workflow is a specification of the same workflow, with everything that a specification can express. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportLines } from '../../src/cli/documents/export-document.ts';
import { createWorkflow } from '../../src/cli/documents/send-workflow.ts';
import { expandCommands } from '../../src/model/expand/commands-file.ts';
import type { ExpandedWorkflow } from '../../src/model/expanded.ts';
import { countStages } from '../../src/model/graph/graph.ts';
import { freshService } from '../support/service.ts';
import { loadWorkflow } from '../support/specification.ts';

const folder = join(import.meta.dirname, '../../examples');
const specifications = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
  /\bworkflow\.\w+$|\bcommands\.txt$/.test(file),
);

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(async () => {
  await fresh.close();
});

const everything = {
  max_losses: 7,
  max_failures: 5,
  timeout: 'PT90S',
  termination_signal: 'SIGUSR1',
  sigterm_lead_seconds: 120,
  create_output_folders: false,
  pin: true,
  execution: 'slurm',
  name: 'every "thing"\n名',
  description: "it's $HOME",
  project: 'p',
  metadata: { a: [1, null] },
  attributes: { release_id: 123, note: 'a "b" {c}' },
  env: { A: 1, QUOTED: "it's\n$HOME" },
  compute_node_expiration_buffer_seconds: 7,
  compute_node_wait_for_new_jobs_seconds: 3,
  compute_node_ignore_workflow_completion: true,
  compute_node_wait_for_healthy_database_minutes: 2,
  jobs_sort_method: 'gpus_memory_runtime',
  resource_requirements: [
    { name: 'small', num_cpus: 1, memory: '100m', runtime: 'PT1M' },
    { name: 'bare', num_cpus: 2, num_gpus: 0.5 },
  ],
  failure_handlers: [
    {
      name: 'again "$x"',
      rules: [
        { exit_codes: [3, 75], recovery_script: "echo 'a'\n", max_retries: 1 },
        { exit_codes: [4], retry_delay: '1m', retry_backoff: 1.5, retry_max_delay: 'PT1H' },
        { causes: ['oom', 'walltime'], max_retries: 2 },
        { match_all_exit_codes: true, max_retries: 0, retry_delay: 'PT0.5S' },
      ],
    },
    { name: 'unused', rules: [{ match_all_exit_codes: true }] },
  ],
  slurm_defaults: { account: 'acc', constraint: 'a b', exclusive: true },
  slurm_schedulers: [
    { name: 'it is', nodes: 2, walltime: '1-00:00:00', qos: 'high', mem: '10G', gres: 'gpu:1', extra: '--nice' },
    { name: '-one', account: 'b', qos: '', partition: 'p', tmp: '1G', ntasks_per_node: 3 },
  ],
  resource_monitor: { enabled: true, granularity: 'time_series', sample_interval_seconds: 2 },
  files: [{ name: 'f', path: 'x y.txt' }],
  user_data: [{ name: 'd', data: { k: 'é' } }],
  jobs: [
    {
      name: 'w_{i}',
      command: 'echo {i}',
      parameters: { i: '1:60' },
      scheduler: 'it is',
      failure_handler: 'again "$x"',
      resource_requirements: 'small',
      attributes: { number: '{i}' },
    },
    { name: '-post {i}', command: 'true', depends_on_regexes: ['^w_'], scheduler: '-one', priority: 4, max_retries: 2 },
    {
      name: 'reader',
      attributes: { site: 'north' },
      command: 'cat',
      depends_on_regexes: ['^w_'],
      input_files: ['f'],
      failure_handler: 'unused',
    },
    { name: 'checker', command: 'x', task_failure_is_success: true, max_wait: '2h', hold: true },
    { name: 'patient', command: 'x', max_retries: 4, retry_delay: '90s', retry_backoff: 1.5 },
    { name: 'last', command: 'cat', input_user_data: ['d'], depends_on: ['reader'], scheduler: '-one' },
  ],
  actions: [
    {
      ...{ trigger_type: 'on_workflow_start', action_type: 'schedule_nodes', scheduler: 'it is' },
      ...{ start_one_worker_per_node: true, num_allocations: 2, max_parallel_jobs: 3 },
    },
    { trigger_type: 'on_jobs_ready', action_type: 'schedule_nodes', jobs: ['-post {i}', 'last'], scheduler: '-one' },
    {
      ...{ trigger_type: 'on_jobs_complete', action_type: 'run_commands', job_name_regexes: ['^w_'] },
      commands: ['echo \'a\' "$HOME"', '-x'],
    },
    { trigger_type: 'on_worker_start', action_type: 'run_commands', commands: ['true'], persistent: true },
    { trigger_type: 'on_workflow_complete', action_type: 'run_commands', commands: ['true'], jobs: ['last'] },
  ],
};

/** The counts of `torc workflows create --dry-run`. */
function counts(workflow: ExpandedWorkflow): object {
  const { name, numJobs, numBarriers, edges, files, userData, requirements } = workflow;
  const { actions, schedulers, failureHandlers } = workflow;
  const lists = { edges, files, userData, requirements, actions, schedulers, failureHandlers };
  return {
    ...{ name, numJobs, numBarriers, stages: countStages(numJobs, numBarriers, edges) },
    ...Object.fromEntries(Object.entries(lists).map(([list, { length }]) => [list, length])),
  };
}

/** The stored workflow, and the document that an export of it makes. */
async function exported(workflow: ExpandedWorkflow): Promise<string> {
  const api = fresh.service;
  const { workflow_key } = await createWorkflow(api, workflow);
  const shown = await api.call('workflow_show', { workflow_key });
  let text = '';
  for await (const piece of exportLines(api, shown, { results: false, events: false })) text += piece;
  return text;
}

async function expectSame(workflow: ExpandedWorkflow): Promise<ExpandedWorkflow> {
  const first = await exported(workflow);
  const again = loadWorkflow(first, { file: 'export.json' }).workflow;
  expect(counts(again)).toEqual(counts(workflow));
  expect(await exported(again)).toBe(first);
  return again;
}

describe('an exported workflow', () => {
  it.each(specifications)('of %s creates the same workflow again', async (file) => {
    const bytes = readFileSync(join(folder, file));
    const isCommands = file.endsWith('commands.txt');
    await expectSame(isCommands ? expandCommands(bytes, { file, name: file }) : loadWorkflow(bytes, { file }).workflow);
  });

  it('contains failure handlers, schedulers, actions and the resource monitor', async () => {
    const workflow = loadWorkflow(JSON.stringify(everything), { file: 'w.json' }).workflow;
    const again = await expectSame(workflow);
    expect([again.maxLosses, again.maxFailures, again.timeoutMs]).toEqual([7, 5, 90_000]);
    const { terminationSignal, sigtermLeadSeconds, createOutputFolders, pin, execution } = again;
    expect([terminationSignal, sigtermLeadSeconds, createOutputFolders]).toEqual(['SIGUSR1', 120, false]);
    expect([pin, execution]).toEqual([true, 'slurm']);
    expect([...again.jobs].filter(({ isHeld }) => isHeld).map(({ name }) => name)).toEqual(['checker']);
    for (const part of ['failureHandlers', 'schedulers', 'actions', 'resourceMonitor', 'requirements'] as const) {
      expect(again[part], part).toEqual(workflow[part]);
    }
    expect([...again.jobs]).toEqual([...workflow.jobs]);
    expect(again.attributes).toEqual({ release_id: '123', note: 'a "b" {c}' });
    expect(again.failureHandlers.map(({ isPlain = false }) => isPlain)).toEqual([false, false, true, true]);
  });

  it('reports the place of an error in it, as for a specification', () => {
    const wrong = { format: 'torc-export', version: 1, workflow: { name: 'w', jobs: [{ name: 'a' }] } };
    const text = JSON.stringify(wrong, null, 2);
    expect(() => loadWorkflow(text, { file: 'e.json' })).toThrow('e.json:7:7: jobs[0].command: is missing');
    expect(() => loadWorkflow(JSON.stringify({ ...wrong, version: 2 }), { file: 'e.json' })).toThrow('version 2');
  });
});
