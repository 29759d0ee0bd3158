import { describe, expect, it } from 'vitest';
import { type MemoryUser, oomVictims, takerOfMemory } from '../../src/model/decide/out-of-memory.ts';

const job = (
  attempt: number,
  peakMemoryBytes: number | null,
  requestedMemoryBytes: number,
  isMemoryStated = true,
): MemoryUser => ({ attempt, jobName: `job ${attempt}`, peakMemoryBytes, requestedMemoryBytes, isMemoryStated });

describe('the victims of the kernel', () => {
  it('are as many as it killed, those most over their request first', () => {
    const dead = [job(1, 900, 1000), job(2, 500, 100), job(3, null, 1), job(4, 3000, 1000)];
    expect([...oomVictims(0, dead)]).toEqual([]);
    expect([...oomVictims(1, dead)]).toEqual([2]);
    expect([...oomVictims(2, dead)]).toEqual([2, 4]);
    expect(oomVictims(9, dead).size).toBe(4);
  });

  it('are found without a request and without a memory sample', () => {
    expect([...oomVictims(1, [job(5, null, 0)])]).toEqual([5]);
    expect([...oomVictims(-1, [job(5, null, 0)])]).toEqual([]);
  });
});

describe('the memory that a killed job lacked', () => {
  const kept = job(1, 900, 1000);
  const taker = (killed: MemoryUser, ...others: MemoryUser[]) => takerOfMemory(killed, others, 1600)?.attempt ?? null;

  it('had been taken by the job that was most over its request, or states none', () => {
    expect(taker(kept, job(2, 301, 200), job(3, 900, 500))).toBe(3);
    expect(taker(kept, job(2, 150, 1, false))).toBe(2);
    expect(taker(job(1, null, 1000), job(2, 700, 500))).toBe(2);
  });

  it('is its own when it was above its request, or states none', () => {
    expect(taker(job(1, 1001, 1000), job(3, 900, 500))).toBe(null);
    expect(taker(job(1, 10, 1000, false), job(3, 900, 500))).toBe(null);
  });

  it('is its own when no other job has taken much', () => {
    expect(taker(kept)).toBe(null);
    expect(taker(kept, kept)).toBe(null);
    expect(taker(kept, job(2, 300, 200), job(3, 100, 1, false), job(4, 400, 500), job(5, null, 1, false))).toBe(null);
  });
});
