/** Workflows that are the same one again: by user, tool, name and args. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { beginRequest } from '../../src/api/creation.ts';
import { createWorkflow } from '../../src/cli/documents/send-workflow.ts';
import { expandValue } from '../../src/model/expand/read.ts';
import type { Service } from '../../src/server/service.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { freshService } from '../support/service.ts';

let clock: FakeClock;
let service: Service;
let close: () => Promise<void>;

beforeEach(async () => {
  clock = new FakeClock();
  ({ service, close } = await freshService(clock));
});

afterEach(async () => {
  expect(brokenInvariants(service.db)).toEqual([]);
  await close();
});

const place = { workingDirectory: '/w', outputDirectory: '/w/output' };
const read = (spec: object) =>
  expandValue({ name: 'study', jobs: [{ name: 'a', command: 'true' }], ...spec }, { file: 'spec' }).workflow;
/** The user is whose server it is. */
const create = async (spec: object, user = 'tester') => {
  service.info.user = user;
  return (await createWorkflow(service, read(spec), () => {}, place)).workflow_key;
};
const find = async (args: string, more: { user?: string; tool?: string; name?: string } = {}) => {
  const { user = 'tester', tool = null, name = 'study' } = more;
  service.info.user = user;
  return (await service.call('workflow_find', { tool, name, args })).workflow_key;
};

describe('creating', () => {
  it('refuses an identity that is there, naming its key and status', async () => {
    expect(await create({ args: { b: 1, a: 2 } })).toBe('1');
    const again = create({ workflow_args: '{"a":2,"b":1.0}', tool: 'study' });
    await expect(again).rejects.toMatchObject({
      code: 'conflict',
      message:
        'workflow 1 ("study") already has this identity (tool "study", args "{\\"a\\":2,\\"b\\":1}"); its status is uninitialized',
      hint: expect.stringContaining('--resume'),
    });
    expect(service.db.all('SELECT workflow_key FROM workflows')).toHaveLength(1);
  });

  it('makes a new workflow for other args, another name, tool or user, and each time without args', async () => {
    const keys = [
      await create({ args: 'v1' }),
      await create({ args: 'v2' }),
      await create({ args: 'v1', tool: 'other' }),
      await create({ args: 'v1', name: 'other' }),
      await create({ args: 'v1' }, 'bob'),
      await create({ tool: 'study' }),
      await create({ tool: 'study' }),
    ];
    expect(keys).toEqual(['1', '2', '3', '4', '5', '6', '7']);
    expect([await find('v1'), await find('v1', { tool: 'other' }), await find('v1', { user: 'bob' })]).toEqual([
      '1',
      '3',
      '5',
    ]);
    expect(await find('v3')).toBeNull();
  });

  it('lets one of two creators have it', async () => {
    const begin = () =>
      service.call('workflow_create_begin', { ...beginRequest(read({ args: 'v1' }), place), num_jobs: 0 });
    const [first, second] = [await begin(), await begin()];
    await service.call('workflow_create_finish', second);
    await expect(service.call('workflow_create_finish', first)).rejects.toMatchObject({ code: 'conflict' });
    expect(await find('v1')).toBe(second.workflow_key);
  });
});

describe('an identity', () => {
  it('is free again once its workflow is deleted', async () => {
    await create({ args: 'v1' });
    await service.call('workflow_delete', { workflow_key: '1', dry_run: false });
    expect(await create({ args: 'v1' })).toBe('2');
  });

  it('stays with the original of a copy', async () => {
    const key = await create({ args: 'v1' });
    const copy = { workflow_key: key, how: 'clone', dry_run: false, name: null } as const;
    const { workflow_key } = await service.call('workflow_copy', copy);
    expect(await service.call('workflow_show', { workflow_key: String(workflow_key) })).toMatchObject({ args: null });
    expect(await find('v1')).toBe(key);
  });

  it('follows the name of its workflow, unless another one has it', async () => {
    await create({ args: 'v1' });
    await create({ args: 'v1', name: 'other' });
    const rename = (workflow_key: string, name: string) =>
      service.call('workflow_modify', { workflow_key, changes: { name } });
    await expect(rename('2', 'study')).rejects.toMatchObject({ code: 'conflict' });
    await rename('1', 'third');
    await rename('2', 'study');
    expect([await find('v1'), await find('v1', { name: 'third' })]).toEqual(['2', '1']);
  });
});
