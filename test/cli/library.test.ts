import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as Library from '../../src/cli/library.ts';
import { newPlace, type Place } from './place.ts';

const root = join(import.meta.dirname, '..', '..');

let place: Place;
let library: typeof Library;
let Workflow: typeof Library.Workflow;
let Tool: typeof Library.Tool;
let WorkflowRunStatus: typeof Library.WorkflowRunStatus;
beforeAll(async () => {
  place = newPlace();
  // the built library, because its worker is the built program
  library = (await import(join(root, 'dist', 'cli', 'library.js'))) as typeof Library;
  ({ Workflow, Tool, WorkflowRunStatus } = library);
});
afterAll(() => place.remove());

describe('the library', () => {
  it('runs its example, which imports it by the name of the package', async () => {
    const options = { cwd: place.path, env: { ...process.env, TORC_DIR: place.dir } };
    const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'examples', 'library.mjs')], options);
    expect(stdout).toMatch(/^workflow 1: done, 4 of 4 jobs done\n/);
    expect(stdout.match(/return code 0/g)).toHaveLength(4);
  });

  it('stores, runs and reads a workflow, with failures in the summary', async () => {
    const workflow = new Workflow({ name: 'w', jobs: [{ name: "it's", command: 'exit 3' }] });
    expect(() => workflow.key).toThrow('not stored');
    workflow.addJob({
      name: 'behind',
      command: 'true',
      depends_on: [workflow.addJob({ name: 'ok', command: 'true' })],
    });
    const key = await workflow.create({ dir: place.dir });
    expect(await workflow.status()).toMatchObject({ workflow_key: key, status: 'uninitialized', num_jobs: 3 });
    await workflow.start();
    const summary = await workflow.runLocally({ output: join(place.path, 'out'), maxParallelJobs: 1 });
    expect(summary).toMatchObject({ status: 'failed', num_done: 3, num_failed: 1 });
    expect(await workflow.wait()).toMatchObject({ status: 'failed' });
    const again = await Workflow.open(key, { dir: place.dir });
    expect(again.spec.name).toBe('w');
    expect(await again.results()).toMatchObject([
      { job_name: "it's", return_code: 3 },
      { job_name: 'ok', return_code: 0 },
      { job_name: 'behind', return_code: 0 },
    ]);
    const rerun = await again.rerun({ name: 'second try' });
    expect(await rerun.status()).toMatchObject({ name: 'second try', parent_workflow_key: key, num_done: 2 });
    expect(await (await again.clone()).status()).toMatchObject({ name: 'w', num_done: 0, num_jobs: 3 });
  });

  it('runs a workflow of a tool in one call, which returns how it ended', async () => {
    const tool = new Tool({ name: 'fits' });
    const make = (name: string, ...commands: string[]) => {
      const workflow = tool.createWorkflow({
        name,
        workflowArgs: { site: 3 },
        workflowAttributes: { release: 1 },
        maxConcurrentlyRunning: 9,
      });
      workflow.addTasks(commands.map((command, i) => ({ name: `${i}`, command, depends_on: i === 0 ? [] : ['0'] })));
      return workflow;
    };
    const where = { dir: place.dir, output: join(place.path, 'out') };
    const done = make('done', 'true', 'true');
    expect(await done.run(where)).toBe(WorkflowRunStatus.DONE);
    expect(await done.status()).toMatchObject({
      tool: 'fits',
      args: '{"site":3}',
      attributes: { release: '1' },
      max_concurrent_jobs: 9,
    });
    await expect(done.run(where)).rejects.toMatchObject({ code: 'conflict' });
    await expect(make('done', 'true').run(where)).rejects.toMatchObject({ code: 'conflict' });
    const failed = make('failed', 'exit 1', 'true', 'true');
    expect(await failed.run({ ...where, failFast: true, maxParallelJobs: 1 })).toBe(WorkflowRunStatus.ERROR);
    expect(await failed.status()).toMatchObject({ num_done: 1, num_canceled: 2, max_failures: null });
    const slow = make('slow', 'sleep 1', 'true');
    expect(await slow.run({ ...where, secondsUntilTimeout: 0.5 })).toBe(WorkflowRunStatus.TIMEOUT);
    // the limits of a call end with it
    expect(await slow.status()).toMatchObject({ status: 'timeout', timeout_seconds: null });
    // the same args again: complete, continued, or refused because the jobs are others
    await expect(make('done', 'true', 'true').run({ ...where, resume: true })).rejects.toMatchObject({
      code: 'already_complete',
    });
    await expect(make('failed', 'true', 'true', 'true').run({ ...where, resume: true })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('0 added, 0 removed, 1 changed'),
    });
    const continued = make('slow', 'sleep 1', 'true');
    expect(await continued.run({ ...where, resume: true })).toBe(WorkflowRunStatus.DONE);
    expect([continued.key, (await continued.status()).run_id]).toEqual([slow.key, 2]);
    // what ran when the time was over has finished, and does not run again
    expect((await continued.results()).map(({ job_name }) => job_name)).toEqual(['0', '1']);
    expect(await failed.run({ ...where, resume: true })).toBe(WorkflowRunStatus.ERROR);
    expect(await failed.status()).toMatchObject({ run_id: 2, num_done: 1 });
    await expect(failed.run({ ...where, stopRunning: true })).rejects.toMatchObject({ code: 'usage' });
    const twice = { name: 'w', args: 'a', workflowArgs: 'b' };
    expect(() => tool.createWorkflow(twice)).toThrow('workflowArgs and args are the same key');
    await expect(make('typo', 'true').run({ failfast: true } as object)).rejects.toThrow('did you mean "failFast"');
  });

  it('rejects what the commands reject, with the same errors', async () => {
    const wrong = new Workflow({ name: 'w', jobs: [{ name: 'a', command: 'true', depends_on: ['nobody'] }] });
    await expect(wrong.create({ dir: place.dir })).rejects.toMatchObject({
      code: 'invalid_spec',
      message: expect.stringContaining('nobody'),
    });
    await expect(Workflow.open('999', { dir: place.dir })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('accepts failure handlers, schedulers and actions, and runs the actions', async () => {
    const workflow = new Workflow({
      name: 'w',
      failure_handlers: [{ name: 'again', rules: [{ exit_codes: [3], max_retries: 1 }] }],
      slurm_schedulers: [{ name: 'many', account: 'a' }],
      actions: [
        { trigger_type: 'on_jobs_ready', action_type: 'run_commands', jobs: ['fails'], commands: ['true'] },
        { trigger_type: 'on_workflow_complete', action_type: 'run_commands', commands: ['false'] },
      ],
    });
    workflow.addJob({ name: 'fails', command: 'exit 3', failure_handler: 'again', scheduler: 'many' });
    await workflow.create({ dir: place.dir });
    await workflow.start();
    const summary = await workflow.runLocally({ output: join(place.path, 'out') });
    expect(summary).toMatchObject({ status: 'failed', num_failed: 1 });
    expect(await workflow.jobs()).toMatchObject([{ scheduler: 'many', failure_handler: 'again', num_retries: 1 }]);
    const { actions } = await place.json<{ actions: unknown[] }>(['actions', 'list', workflow.key]);
    expect(actions).toMatchObject([
      { state: 'done', num_firings: 1 },
      { state: 'failed', num_firings: 1 },
    ]);
    const wrong = new Workflow(workflow.spec);
    wrong.addJob({ name: 'more', command: 'true', failure_handler: 'agian', scheduler: 'mayn' });
    const error = { code: 'invalid_spec', message: expect.stringMatching(/mean "again"(.|\n)*mean "many"/) };
    await expect(wrong.create({ dir: place.dir })).rejects.toMatchObject(error);
  });

  it('makes, lists and deletes schedules and generators', async () => {
    const at = { dir: place.dir };
    const actions = [
      {
        trigger_type: 'on_workflow_start' as const,
        action_type: 'schedule_nodes' as const,
        scheduler_type: 'local' as const,
      },
    ];
    const spec = { name: 'nightly', jobs: [{ name: 'a', command: 'true' }], actions };
    const added = await library.addSchedule('nightly', spec, {
      ...at,
      cron: '0 3 * * *',
      timeZone: 'UTC',
      paused: true,
    });
    expect(added).toMatchObject({ name: 'nightly', is_paused: true, instants: { length: 5 } });
    const collecting = { ...spec, user_data: [{ name: 'items' }] };
    await library.addGenerator('convert', collecting, { ...at, items: 100 });
    const items = [{ data: 'a.nc', id: 'a' }, { data: { b: 1 } }];
    expect(await library.putItems('convert', items, at)).toMatchObject({ num_new: 2, num_waiting: 2 });
    expect(await library.listSchedules(at)).toMatchObject([{ name: 'nightly', cron: '0 3 * * *', overlap: 'skip' }]);
    expect(await library.listGenerators(at)).toMatchObject([{ name: 'convert', num_items: 2, overlap: 'queue' }]);
    expect(await library.deleteSchedule('nightly', at)).toEqual([]);
    expect(await library.deleteGenerator('convert', at)).toEqual([]);
    expect([...(await library.listSchedules(at)), ...(await library.listGenerators(at))]).toEqual([]);
    const misspelled = library.addSchedule('n', spec, { ...at, crom: '@daily' } as never);
    await expect(misspelled).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('crom') });
    await expect(library.addSchedule('n', { ...spec, actions: [] }, { ...at, every: 60 })).rejects.toThrow(
      'schedules nodes',
    );
  });

  it('rejects calls that would do nothing, and says what to call', async () => {
    const thrown = (call: () => unknown) => {
      try {
        call();
      } catch (error) {
        return error;
      }
    };
    const anything: unknown[] = [undefined, null, 'w', [], { name: 'w', jobs: {} }];
    for (const spec of anything) {
      expect(thrown(() => new Workflow(spec as { name: string }))).toMatchObject({ code: 'invalid_spec' });
    }
    const workflow = new Workflow({ name: 'w', jobs: [{ name: 'a', command: 'true' }] });
    expect(thrown(() => workflow.addJob(null as never))).toMatchObject({ code: 'invalid_spec' });
    await expect(workflow.create({ directory: place.dir } as object)).rejects.toMatchObject({ code: 'usage' });
    await workflow.create({ dir: place.dir });
    const late = { code: 'conflict', hint: expect.stringContaining('before create()') };
    expect(thrown(() => workflow.addJob({ name: 'b', command: 'true' }))).toMatchObject(late);
    expect(workflow.spec.jobs).toHaveLength(1);
    await expect(workflow.runLocally()).rejects.toMatchObject({ code: 'conflict', hint: 'Call start() first.' });
    await workflow.start();
    await expect(workflow.runLocally({ maxParalelJobs: 1 } as object)).rejects.toMatchObject({
      code: 'usage',
      message: 'unknown option "maxParalelJobs"; did you mean "maxParallelJobs"?',
    });
    expect(await workflow.status()).toMatchObject({ num_jobs: 1, counts: { ready: 1 } });
  });

  it('stops its jobs on an abort signal, and they are ready again', async () => {
    const workflow = new Workflow({ name: 'long', jobs: [{ name: 'long', command: 'exec sleep 600' }] });
    await workflow.create({ dir: place.dir });
    await workflow.start();
    const stopper = new AbortController();
    const run = workflow.runLocally({ output: join(place.path, 'out'), signal: stopper.signal });
    const ended = expect(run).rejects.toMatchObject({ code: 'interrupted' });
    const look = ['-k', workflow.key, 'jobs', 'list', '-f', 'status=submitted'];
    while ((await place.json<{ jobs: unknown[] }>(look)).jobs.length === 0);
    stopper.abort();
    await ended;
    expect(await workflow.jobs()).toMatchObject([{ status: 'ready' }]);
  });
});
