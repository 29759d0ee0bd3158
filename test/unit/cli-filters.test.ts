import { describe, expect, it } from 'vitest';
import { endpoints } from '../../src/api/contract.ts';
import { listRequest, parseColumns, parseFilter } from '../../src/cli/input/filters.ts';
import { checkedKey, chooseWorkflow, statedKey } from '../../src/cli/input/workflow-key.ts';
import { fakeContext, fakeTerminal, listServer } from './cli-fakes.ts';

describe('filters', () => {
  it.each([
    ['status=ready', { column: 'status', value: 'ready' }],
    ['name=a=b', { column: 'name', value: 'a=b' }],
    ['name= spaces kept ', { column: 'name', value: ' spaces kept ' }],
    ['name=-x', { column: 'name', value: '-x' }],
    ['cause=', { column: 'cause', value: '' }],
  ])('reads %s', (text, filter) => {
    expect(parseFilter(text)).toEqual(filter);
  });

  it.each(['status', '=ready', ' =x', ''])('rejects %j and says how to write it', (text) => {
    expect(() => parseFilter(text)).toThrow(
      expect.objectContaining({ code: 'usage', hint: expect.stringContaining('-f ') }),
    );
  });

  it('reads columns and rejects empty ones', () => {
    expect(parseColumns('a, b')).toEqual(['a', 'b']);
    expect(() => parseColumns('a,,b')).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it('becomes a request that the contract accepts', () => {
    const options = { filter: [parseFilter('status=ready')], sortBy: 'name', reverseSort: true, excludeColumn: [] };
    expect(endpoints.list.request.parse(listRequest('jobs', '7', options, { limit: 10, skip: 0 }))).toEqual({
      list: 'jobs',
      workflow_key: '7',
      filters: [{ column: 'status', value: 'ready' }],
      sort_by: 'name',
      reverse: true,
      limit: 10,
      skip: 0,
    });
  });
});

describe('workflow keys', () => {
  it.each(['0', '-1', '01', '1.5', 'abc', '', '99999999999999999'])('refuses %j', (key) => {
    expect(() => checkedKey(key)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it('come from the argument, then -k, then TORC_WORKFLOW_KEY', () => {
    const env = { TORC_WORKFLOW_KEY: '9' };
    expect(statedKey(fakeContext(fakeTerminal(), { workflowKey: '8' }, env), null)).toBe('8');
    expect(statedKey(fakeContext(fakeTerminal(), {}, env), '7')).toBe('7');
    expect(statedKey(fakeContext(fakeTerminal(), {}, env), null)).toBe('9');
    expect(statedKey(fakeContext(fakeTerminal(), {}, { TORC_WORKFLOW_KEY: '' }), null)).toBe(null);
    expect(() => statedKey(fakeContext(fakeTerminal(), { workflowKey: '8' }), '7')).toThrow('7 and 8');
  });

  const workflow = (key: number, name: string) => ({ workflow_key: String(key), name, status: 'ready' });

  it('default silently to the only workflow', async () => {
    const terminal = fakeTerminal();
    expect(await chooseWorkflow(fakeContext(terminal), listServer([workflow(4, 'a')]).api, null)).toBe('4');
    expect(terminal.stderr).toEqual([]);
  });

  it('list at most ten workflows when there is more than one', async () => {
    const many = Array.from({ length: 12 }, (_, at) => workflow(at + 1, `w\n${at}`));
    const choice = chooseWorkflow(fakeContext(fakeTerminal()), listServer(many).api, null);
    await expect(choice).rejects.toMatchObject({
      code: 'usage',
      hint: expect.stringMatching(/1 \(w\\n0\).*10 \(w\\n9\); \.\.$/),
    });
  });

  it('come with a hint to create one when none exists', async () => {
    const choice = chooseWorkflow(fakeContext(fakeTerminal()), listServer([]).api, null);
    await expect(choice).rejects.toMatchObject({ code: 'not_found', hint: expect.stringContaining('create') });
  });

  it('are not asked for with --no-prompts, even on a terminal', async () => {
    const context = fakeContext(fakeTerminal(true), { prompts: false });
    const two = listServer([workflow(1, 'a'), workflow(2, 'b')]).api;
    await expect(chooseWorkflow(context, two, null)).rejects.toMatchObject({ code: 'usage' });
  });
});
