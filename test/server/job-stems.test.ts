/** What jobs ask for is counted by the forms of their names, and the counts are what a look at every job finds. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AddedJob, Api } from '../../src/api/contract.ts';
import { expandChildren } from '../../src/model/expand/children.ts';
import { stemOf } from '../../src/model/usage.ts';
import { addCountedShapes, addShapesOfStems } from '../../src/storage/lists/usage.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, freshService, rows } from '../support/service.ts';

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(() => fresh.close());

/** The requests by forms of names: as counted, null where some jobs are not, and as the jobs are. */
function requests(key: string) {
  const { db } = fresh.service;
  const names = db.all<{ name: string }>('SELECT name FROM jobs WHERE workflow_key = ?', Number(key));
  const empty = () => new Map(names.map(({ name }) => [stemOf(name), new Set<number>()]));
  const [counted, read] = [empty(), empty()];
  const isCounted = addCountedShapes(db, Number(key), counted);
  for (let after: number | null = 0; after !== null; ) after = addShapesOfStems(db, Number(key), read, after);
  const sorted = (all: ReadonlyMap<string, Set<number>>) =>
    Object.fromEntries([...all].map(([stem, shapes]) => [stem, [...shapes].sort((a, b) => a - b)]));
  return { counted: isCounted ? sorted(counted) : null, read: sorted(read) };
}

function added(name: string): AddedJob {
  const [job] = expandChildren([{ name, command: 'true' }], { file: 'test' });
  return job as AddedJob;
}

/** A client whose answers about the jobs get lost, so that it sends them again. */
function repeating(api: Api): Api {
  return {
    ...api,
    call: async (name, request) => {
      if (name === 'workflow_create_chunk') await api.call(name, request);
      return await api.call(name, request);
    },
  };
}

const names = fc.uniqueArray(fc.stringMatching(/^[abc]_?[0-9]{1,2}(\.[0-9])?$/), { minLength: 2, maxLength: 12 });
const changes = fc.array(
  fc.record({
    kind: fc.constantFrom('memory', 'rename', 'add', 'delete', 'requirements', 'clone' as const),
    which: fc.nat(100),
    name: fc.stringMatching(/^[abcd]_?[0-9]{3}$/),
    size: fc.integer({ min: 1, max: 3 }),
  }),
  { maxLength: 12 },
);

it('whatever is created, added, changed, deleted or cloned', async () => {
  const { service } = fresh;
  await fc.assert(
    fc.asyncProperty(names, changes, async (created, steps) => {
      const jobs = created.map((name, index) => ({ name, memory: 2 ** (20 + (index % 2)) }));
      let key = await createWorkflow(repeating(service), jobs, [], { start: false });
      for (const { kind, which, name, size } of steps) {
        const all = await rows(service, 'jobs', key);
        const { job_key, resource_requirements } = all[which % Math.max(1, all.length)] ?? {};
        const isTaken = all.some((job) => job.name === name);
        const modify = (fields: object) =>
          service.call('jobs_modify', { job_keys: [String(job_key)], dry_run: false, changes: fields });
        if (kind === 'add' && !isTaken) {
          await service.call('jobs_add', { workflow_key: key, jobs: [{ ...added(name), hold: false }] });
        } else if (kind === 'clone') {
          const request = { workflow_key: key, how: 'clone', dry_run: false, name: null } as const;
          key = String((await service.call('workflow_copy', request)).workflow_key);
        } else if (job_key === undefined) {
        } else if (kind === 'memory') {
          await modify({ memory_bytes: size * 2 ** 20 });
        } else if (kind === 'rename' && !isTaken) {
          await service.call('job_modify', { job_key: String(job_key), dry_run: false, changes: { name } });
        } else if (kind === 'delete') {
          await service.call('jobs_delete', { job_keys: [String(job_key)], cascade: false, dry_run: false });
        } else if (kind === 'requirements' && resource_requirements !== null) {
          const [named] = await rows(service, 'resource_requirements', key, { name: String(resource_requirements) });
          await service.call('resource_requirements_modify', {
            resource_requirements_key: String(named?.resource_requirements_key),
            dry_run: false,
            changes: { memory_bytes: size * 2 ** 22 },
          });
        }
      }
      const { counted, read } = requests(key);
      expect(counted).toEqual(read);
    }),
    { numRuns: 25 },
  );
  expect(brokenInvariants(service.db)).toEqual([]);
});

it('where some jobs are not counted, the counts are not used', async () => {
  const { service } = fresh;
  const many = Array.from({ length: 1001 }, (_, index) => {
    const letters = [676, 26, 1].map((n) => String.fromCharCode(97 + (Math.floor(index / n) % 26)));
    return { name: letters.join('') };
  });
  const key = await createWorkflow(service, many);
  expect(requests(key).counted).toBeNull();
  expect(Object.keys(requests(key).read)).toHaveLength(1001);
  const small = await createWorkflow(service, [{ name: 'a1' }, { name: 'a2' }]);
  expect(requests(small).counted).not.toBeNull();
  // as the jobs of an older torc
  service.db.run('UPDATE jobs SET stem_key = NULL WHERE name = ?', 'a1');
  expect(requests(small).counted).toBeNull();
});
