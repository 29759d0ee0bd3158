import { describe, expect, it } from 'vitest';
import { Turnover } from '../../src/worker/turnover.ts';

/** Of two places; a job that ended last ran for so long. */
function turnover(lastRanMs: number): Turnover {
  const made = new Turnover();
  const end = { status: 'done', returnCode: 0, cause: 'success', exitCode: 0, signal: null, detail: null } as const;
  const nothing = { peakMemoryBytes: null, averageMemoryBytes: null, cpuMs: null };
  made.ended({ attempt: 1, startedAtMs: 100, endedAtMs: 100 + lastRanMs, end, ...nothing });
  made.began(2, 1_000);
  made.began(3, 1_001);
  return made;
}

describe('ends wait for one another', () => {
  it('while more jobs wait than run', () => {
    const long = turnover(5_000);
    expect([3, 2].map((numWaiting) => long.endsDelayMs(numWaiting, 1_002))).toEqual([40, 0]);
  });

  it('while only short jobs run and the server had no others to give', () => {
    const short = turnover(2);
    expect(short.endsDelayMs(0, 1_002)).toBe(0);
    short.noteReply(0, 5);
    expect(short.endsDelayMs(0, 1_002)).toBe(40);
    // a reply without any news tells nothing
    short.noteReply(0, 0);
    expect(short.endsDelayMs(0, 1_002)).toBe(40);
    short.noteReply(1, 5);
    expect(short.endsDelayMs(0, 1_002)).toBe(0);
  });

  it('not beside a job that runs for longer, nor when none runs', () => {
    const mixed = turnover(2);
    mixed.noteReply(0, 5);
    expect(mixed.endsDelayMs(0, 1_021)).toBe(0);
    mixed.left(2);
    expect(mixed.endsDelayMs(0, 1_021)).toBe(40);
    mixed.left(3);
    expect(mixed.endsDelayMs(0, 1_021)).toBe(0);
  });

  it('not where the last job was long', () => {
    const long = turnover(21);
    long.noteReply(0, 5);
    expect(long.endsDelayMs(0, 1_002)).toBe(0);
    expect([turnover(21).areShort(1_002), turnover(20).areShort(1_002), new Turnover().areShort(0)]).toEqual([
      false,
      true,
      false,
    ]);
  });
});

it('counts what has ended, and what failed', () => {
  const { numEnded, numFailed } = turnover(1);
  expect([numEnded, numFailed]).toEqual([1, 0]);
});
