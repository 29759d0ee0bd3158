import { describe, expect, it } from 'vitest';
import { shortageOf } from '../../src/worker/processes/spawner.ts';
import { Shortage } from '../../src/worker/shortage.ts';

describe('a node that cannot start more jobs', () => {
  it('keeps what it can run, tries more after a while, and has no limit once it runs what it should', () => {
    const shortage = new Shortage();
    expect([shortage.mostJobs, shortage.dueMs]).toEqual([null, Number.POSITIVE_INFINITY]);
    shortage.note(0, 20, 60, 100);
    expect([shortage.mostJobs, shortage.dueMs]).toEqual([20, 10_100]);
    expect(shortage.look(10_099)).toBe(false);
    expect(shortage.look(10_100)).toBe(true);
    expect(shortage.mostJobs).toBe(40);
    expect(shortage.look(20_100)).toBe(true);
    expect([shortage.mostJobs, shortage.dueMs]).toEqual([null, Number.POSITIVE_INFINITY]);
  });

  it('takes starts that were tried together as one failure', () => {
    const shortage = new Shortage();
    // the news of processes that did start arrives in between
    for (const numStarted of [3, 9, 17, 18]) shortage.note(0, numStarted, 60, 100);
    expect([shortage.mostJobs, shortage.dueMs]).toEqual([18, 10_100]);
  });

  it('counts processes whose news comes after that of the failure', () => {
    const shortage = new Shortage();
    shortage.note(0, 0, 60, 100);
    for (const numStarted of [1, 2, 3]) shortage.started(0, numStarted);
    expect([shortage.mostJobs, shortage.dueMs]).toEqual([3, 10_100]);
    shortage.started(200, 4);
    expect(shortage.mostJobs).toBe(3);
  });

  it('tries more ever more rarely while that fails', () => {
    const shortage = new Shortage();
    shortage.note(0, 20, 60, 0);
    for (const dueMs of [10_000, 30_000, 70_000]) {
      expect(shortage.dueMs).toBe(dueMs);
      expect(shortage.look(dueMs)).toBe(true);
      shortage.note(dueMs, 25, 60, dueMs);
      expect(shortage.mostJobs).toBe(25);
    }
  });

  it('pauses while it cannot start even one, and begins with one', () => {
    const shortage = new Shortage();
    shortage.note(0, 0, 60, 0);
    for (const dueMs of [1_000, 3_000, 7_000]) {
      expect([shortage.mostJobs, shortage.dueMs]).toEqual([0, dueMs]);
      expect(shortage.look(dueMs)).toBe(true);
      expect(shortage.mostJobs).toBe(1);
      shortage.note(dueMs, 0, 60, dueMs);
    }
  });
});

it('is what a failed start says about the node, and not what it says about the job', () => {
  expect(shortageOf('EAGAIN', 'why')).toBe('no more processes (why)');
  for (const code of ['EIO', 'ESTALE', 'ETIMEDOUT']) {
    expect(shortageOf(code, 'why')).toBe('no access to its files (why)');
  }
  for (const code of ['ENOENT', 'EACCES', 'E2BIG', null]) expect(shortageOf(code, 'why')).toBe(null);
});
