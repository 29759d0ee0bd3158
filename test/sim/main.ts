/** One of several processes that run seeds: it receives numbers of seeds and answers each with the outcome. */
import { findDifference, runSeed, type SeedResult } from './seed.ts';

/** The outcome of a seed, for the process that handed it out. */
export interface Told extends Pick<SeedResult, 'seed' | 'numSteps' | 'numChecks' | 'hash'> {
  seen: [what: string, times: number][];
  /** Null when all rules held; else the last events and the broken rules, as text. */
  failure: string | null;
}

process.on('message', ({ seed, twice }: { seed: number; twice: boolean }) => {
  void runSeed(seed).then(async (result) => {
    const { numSteps, numChecks, hash, broken } = result;
    const difference = twice ? await findDifference(result) : null;
    if (difference !== null) broken.push(difference);
    const failure = broken.length > 0 ? explain(result) : null;
    const told: Told = { seed, numSteps, numChecks, hash, seen: [...result.seen], failure };
    process.send?.(told);
  });
});
process.on('disconnect', () => process.exit());

function explain({ seed, trace, broken }: SeedResult): string {
  return [`--- seed ${seed}`, ...trace.slice(-60), ...broken.slice(0, 10).map((words) => `BROKEN: ${words}`)].join(
    '\n',
  );
}
