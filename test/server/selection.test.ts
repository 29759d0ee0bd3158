/** Choosing workflows and jobs by keys, names, patterns, ranges; and the name that was probably meant. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Selectable } from '../../src/api/contract.ts';
import { chooseJob, chooseJobs } from '../../src/cli/input/chosen-jobs.ts';
import { chooseWorkflow, chooseWorkflows } from '../../src/cli/input/workflow-key.ts';
import { planForJobs } from '../../src/cli/plans/chosen-jobs.ts';
import type { Service } from '../../src/server/service.ts';
import { createWorkflow, freshService, statuses } from '../support/service.ts';
import { fakeContext, fakeTerminal } from '../unit/cli-fakes.ts';

let service: Service;
let close: () => Promise<void>;
beforeEach(async () => {
  ({ service, close } = await freshService());
});
afterEach(async () => {
  await close();
});

const select = async (list: Selectable, words: string[], workflow_key: string | null = null, user = null) => {
  const { selected } = await service.call('select', { list, workflow_key, words, user });
  return selected.map(({ by, rows }) => [by, ...rows.map(({ key }) => key)]);
};

const named = async (...names: string[]): Promise<string[]> => {
  const keys: string[] = [];
  for (const name of names) {
    const workflow_key = await createWorkflow(service, [{ name: 'a' }]);
    await service.call('workflow_modify', { workflow_key, changes: { name } });
    keys.push(workflow_key);
  }
  return keys;
};

describe('workflows', () => {
  it('are chosen by key, name, pattern, range, list and last', async () => {
    await named('wind', 'solar', 'wind', '3', '77', 'a,b');
    expect(
      await select('workflows', ['2', 'solar', 'wind', 's*', '2-4', '5,1-2', 'last', '3', '77', 'a,b', 'last,solar']),
    ).toEqual([
      ['key', '2'],
      ['name', '2'],
      ['name', '3', '1'],
      ['pattern', '2'],
      ['range', '2', '3', '4'],
      ['range', '5', '1', '2'],
      ['last', '6'],
      // a key, if there is one, comes before the name
      ['key', '3'],
      ['name', '5'],
      ['name', '6'],
      ['range', '6', '2'],
    ]);
  });

  it('an archived one is chosen by its key, and by its name when no other has it', async () => {
    const [first = ''] = await named('wind', 'wind');
    await service.call('workflow_modify', { workflow_key: first, changes: { is_archived: true } });
    expect(await select('workflows', ['wind', '1', 'w*'])).toEqual([
      ['name', '2'],
      ['key', '1'],
      ['pattern', '2'],
    ]);
    await service.call('workflow_modify', { workflow_key: '2', changes: { is_archived: true } });
    expect(await select('workflows', ['wind'])).toEqual([['name', '2', '1']]);
    await expect(select('workflows', ['last'])).rejects.toMatchObject({ code: 'not_found' });
  });

  it('an unknown name gets the nearest one, an unknown key is said to be none', async () => {
    await named('temperature', 'pressure');
    const missing = (word: string) => expect(select('workflows', [word])).rejects;
    await missing('temprature').toMatchObject({
      code: 'not_found',
      message: 'there is no workflow "temprature"; did you mean "temperature"?',
    });
    await missing('9').toMatchObject({ code: 'not_found', message: 'there is no workflow 9' });
    await missing('7-9').toMatchObject({ message: 'there is no workflow 7-9' });
    await missing('1,9').toMatchObject({ message: 'there is no workflow 9' });
    await missing('x*').toMatchObject({ message: 'no workflow has a name like "x*"' });
  });
});

describe('jobs', () => {
  const names = ['sim_1', 'sim_2', 'sim_[3]', 'post', '2'];
  let key: string;
  beforeEach(async () => {
    await createWorkflow(service, [{ name: 'other' }]);
    key = await createWorkflow(
      service,
      names.map((name) => ({ name })),
    );
  });

  it('are chosen by key, name and pattern', async () => {
    expect(await select('jobs', ['2', 'post', 'sim_*', 'sim_?', 'sim_[*', '*'], key)).toEqual([
      ['key', '2'],
      ['name', '5'],
      ['pattern', '2', '3', '4'],
      ['pattern', '2', '3'],
      ['pattern', '4'],
      ['pattern', '2', '3', '4', '5', '6'],
    ]);
    await expect(select('jobs', ['pots'], key)).rejects.toMatchObject({
      message: `workflow ${key} has no job "pots"; did you mean "post"?`,
    });
    await expect(select('jobs', ['x*'], key)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('a list is filtered by a pattern too', async () => {
    const filters = [{ column: 'name', value: 'sim_?' }];
    const request = { list: 'jobs', workflow_key: key, filters, sort_by: null, reverse: false } as const;
    const { records } = await service.call('list', { ...request, filters, limit: 10, skip: 0 });
    expect(records.map(({ name }) => name)).toEqual(['sim_1', 'sim_2']);
  });

  it('a pattern is matched by the index of names', () => {
    const plan = service.db.all<{ detail: string }>(
      `EXPLAIN QUERY PLAN SELECT job_key FROM jobs WHERE workflow_key = ? AND name GLOB ? AND name >= ? AND name < ?`,
      2,
      'sim_*',
      'sim_',
      'sim_~',
    );
    expect(plan.map(({ detail }) => detail).join()).toMatch(/jobs_name \(workflow_key=\? AND name>\? AND name<\?\)/);
  });

  it('a plan takes names and patterns; a pattern leaves out what cannot change this way, a name does not', async () => {
    const options = { workflow_key: key, dry_run: false, expected_state: null, skip: 0 };
    const plan = { ...options, job_keys: [] };
    await service.call('jobs_mark_done', { ...plan, job_names: ['sim_1'] });
    expect(await statuses(service, key)).toMatchObject({ sim_1: 'done', sim_2: 'ready' });
    const held = await service.call('jobs_hold', { ...plan, job_names: ['sim_*'], hold: true });
    expect(held.changes.map(({ job_name }) => job_name)).toEqual(['sim_2', 'sim_[3]']);
    await expect(service.call('jobs_hold', { ...plan, job_names: ['sim_1'], hold: true })).rejects.toMatchObject({
      code: 'conflict',
    });
    const marked = await service.call('jobs_mark_done', { ...plan, job_keys: ['5'], job_names: ['post', 'sim_[3]'] });
    expect(marked.changes.map(({ job_name }) => job_name)).toEqual(['sim_[3]', 'post']);
    const canceled = await service.call('jobs_cancel', { ...plan, job_names: ['*'] });
    expect(canceled.changes.map(({ job_name }) => job_name)).toEqual(['sim_2', '2']);
    const reset = await service.call('jobs_reset', { ...options, which: [], job_names: ['sim_2', 'p*'] });
    expect(reset.changes.map(({ job_name }) => job_name)).toEqual(['sim_2', 'post']);
    expect((await service.call('jobs_disable', { ...plan, job_names: ['sim_?'] })).num_changes).toBe(2);
    for (const none of [{}, { job_names: ['nothing'] }, { job_names: ['n*'] }]) {
      await expect(service.call('jobs_mark_done', { ...plan, ...none })).rejects.toMatchObject({
        code: 'job_names' in none ? 'not_found' : 'usage',
      });
    }
  });

  it('files and others: the name comes before the key', async () => {
    const add = (name: string) => service.call('file_add', { workflow_key: key, name, path: `/p/${name}` });
    await add('table');
    await add('1');
    expect(await select('files', ['1', 't*'], key)).toEqual([
      ['name', '2'],
      ['pattern', '1'],
    ]);
    expect(await select('files', ['2'], key)).toEqual([['key', '2']]);
  });
});

describe('commands', () => {
  const on = (workflowKey?: string, more = {}) => {
    const terminal = fakeTerminal();
    return {
      terminal,
      context: fakeContext(terminal, { ...(workflowKey === undefined ? {} : { workflowKey }), ...more }),
    };
  };

  it('without a choice: the only workflow; of several the newest for reading, which is said, an error for changing', async () => {
    await named('wind');
    const { context, terminal } = on();
    expect(await chooseWorkflow(context, service, null)).toBe('1');
    await named('solar');
    expect(await chooseWorkflow(context, service, null, 'reads')).toBe('2');
    expect(terminal.stderr.join('')).toBe('using workflow 2 (solar), the newest of 2; choose another with -k\n');
    await expect(chooseWorkflow(context, service, null)).rejects.toMatchObject({
      code: 'usage',
      hint: expect.stringContaining('2 (solar); 1 (wind)'),
    });
    const json = on(undefined, { outputFormat: 'json' });
    await chooseWorkflow(json.context, service, null, 'reads');
    expect(JSON.parse(json.terminal.stderr.join(''))).toMatchObject({ warning: expect.stringContaining('workflow 2') });
  });

  it('-k takes names, last, ranges and patterns; one command takes one workflow, another takes many', async () => {
    await named('wind', 'solar', 'wind');
    expect(await chooseWorkflow(on('solar').context, service, null)).toBe('2');
    expect(await chooseWorkflow(on('last').context, service, null)).toBe('3');
    expect(await chooseWorkflow(on().context, service, 'so*')).toBe('2');
    expect(await chooseWorkflow(on('wind').context, service, null, 'reads')).toBe('3');
    await expect(chooseWorkflow(on('wind').context, service, null)).rejects.toMatchObject({
      code: 'usage',
      message: '2 workflows have the name "wind": 3, 1',
    });
    await expect(chooseWorkflow(on('1-2').context, service, null)).rejects.toMatchObject({
      message: '1-2 means 2 workflows: 1, 2; this command takes one',
    });
    await expect(chooseWorkflow(on('1').context, service, '2')).rejects.toMatchObject({ code: 'usage' });
    await expect(chooseWorkflow(on('').context, service, null)).rejects.toMatchObject({ code: 'usage' });
    const many = async (...words: string[]) => chooseWorkflows(on().context, service, words);
    expect(await many('1-2', '3')).toEqual({ keys: ['1', '2', '3'], hasPattern: false });
    expect(await many('s*', '2')).toEqual({ keys: ['2'], hasPattern: true });
    await expect(many('wind', '2')).rejects.toMatchObject({ code: 'usage' });
    expect(await chooseWorkflows(on('2,1').context, service, [])).toEqual({ keys: ['2', '1'], hasPattern: false });
  });

  it('jobs: keys say their workflow, names need one; what does not fit together is an error', async () => {
    await createWorkflow(service, [{ name: 'a' }, { name: '4' }]);
    await createWorkflow(service, [{ name: 'a' }, { name: 'b' }]);
    const jobs = (words: string[], key?: string) => chooseJobs(on(key).context, service, words);
    expect(await jobs(['3', 'b'])).toMatchObject({ workflowKey: '2', keys: ['3'], names: ['b'] });
    expect(await jobs(['a', '*'], '1')).toEqual({ workflowKey: '1', keys: [], names: ['a', '*'], patterns: ['*'] });
    await expect(jobs(['1', '3'])).rejects.toMatchObject({ message: expect.stringContaining('2 workflows') });
    await expect(jobs(['3'], '1')).rejects.toMatchObject({ message: 'the jobs belong to workflow 2, not to 1' });
    await expect(jobs(['99'])).rejects.toMatchObject({ code: 'not_found', message: 'there is no job 99' });
    await expect(jobs(['99'], '1')).rejects.toMatchObject({ code: 'not_found', message: 'there is no job 99' });
    await expect(jobs(['a'])).rejects.toMatchObject({ code: 'usage' });
    expect(await chooseJob(on('last').context, service, 'b')).toBe('4');
    await expect(chooseJob(on('2').context, service, '?')).rejects.toMatchObject({
      message: '? means 2 jobs: 3, 4; this command takes one',
    });
  });

  it('a pattern that changes something shows its plan and wants a yes; where nobody can be asked nothing changes', async () => {
    const key = await createWorkflow(service, [{ name: 'sim_1' }, { name: 'sim_2' }, { name: 'post' }]);
    const { context, terminal } = on();
    const hold = async (words: string[], options = {}, where = context) =>
      planForJobs(where, service, 'jobs_hold', await chooseJobs(where, service, words), options, { hold: true });
    await expect(hold(['sim_*'])).rejects.toMatchObject({
      code: 'usage',
      message: 'sim_* would change 2 jobs of workflow 1; nothing was changed',
    });
    expect(terminal.stderr.join('')).toMatch(/^job_key .*\n1 +ready .*sim_1.*\n2 .*sim_2/);
    expect(await statuses(service, key)).toMatchObject({ sim_1: 'ready', sim_2: 'ready' });
    expect(await hold(['sim_*'], { dryRun: true })).toMatchObject({ num_changes: 2, dry_run: true });
    expect(await hold(['sim_1'])).toMatchObject({ num_changes: 1, dry_run: false });
    expect(await hold(['sim_*'], { yes: true })).toMatchObject({ num_changes: 1 });
    expect(await hold(['p*'], {}, on(undefined, { prompts: false }).context)).toMatchObject({ num_changes: 1 });
    // nothing to change needs no answer
    expect(await hold(['*'])).toMatchObject({ num_changes: 0 });
  });
});
