/** Runs many seeds: progress and failures on stderr, one JSON line on stdout; exit code 1 when a seed failed. */
import { runSeed, type SeedResult } from './seed.ts';

export interface ManyOptions {
  numSeeds: number;
  first: number;
  /** Ends at so many failures. */
  mostFailures: number;
}

export async function runMany({ numSeeds, first, mostFailures }: ManyOptions): Promise<number[]> {
  const failed: number[] = [];
  const totals = { steps: 0, checks: 0, seeds: 0 };
  const seen = new Map<string, number>();
  const began = performance.now();
  let toldAt = began;
  for (let seed = first; seed < first + numSeeds && failed.length < mostFailures; seed++) {
    const result = await runSeed(seed);
    totals.seeds += 1;
    totals.steps += result.numSteps;
    totals.checks += result.numChecks;
    for (const [what, times] of result.seen) seen.set(what, (seen.get(what) ?? 0) + times);
    if (result.broken.length > 0) {
      failed.push(seed);
      process.stderr.write(`${explain(result)}\n`);
    }
    if (performance.now() - toldAt < 10_000) continue;
    toldAt = performance.now();
    process.stderr.write(`${totals.seeds} of ${numSeeds} seeds, ${failed.length} failed\n`);
  }
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  process.stdout.write(
    `${JSON.stringify({ first, ...totals, seconds, seen: Object.fromEntries([...seen].sort()), failed })}\n`,
  );
  return failed;
}

/** The last events of a seed and what was broken, as text. */
export function explain({ seed, trace, broken }: SeedResult): string {
  return [`--- seed ${seed}`, ...trace.slice(-60), ...broken.slice(0, 10).map((words) => `BROKEN: ${words}`)].join(
    '\n',
  );
}
