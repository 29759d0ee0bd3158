/** Reads sbatch's replies, whatever a site's wrapper or submit filter prints around them. */
import { presentText } from './fields.ts';

/**
 * The id in the output of `sbatch --parsable`: the last line that is `ID` or `ID;CLUSTER`, or that has sbatch's usual
 * sentence, as some wrappers print it. Null when there is none.
 */
export function submittedId(stdout: string): { slurmJobId: string; cluster: string | null } | null {
  const lines = stdout.split('\n').map((line) => line.trim());
  for (const line of lines.toReversed()) {
    const match =
      /^([1-9][0-9]{0,14})(?:;([^\s;]+))?$/.exec(line) ??
      /^Submitted batch job ([1-9][0-9]{0,14})(?: on cluster (\S+))?$/.exec(line);
    if (match?.[1] !== undefined) return { slurmJobId: match[1], cluster: match[2] ?? null };
  }
  return null;
}

/** A command's own words on one line, without its name and the word `error` before each; null when it said nothing. */
export function ownWords(text: string): string | null {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/^(?:sbatch|squeue|sacct|scancel|scontrol|sinfo): (?:error: )?/, '').trim())
    .filter((line) => line !== '');
  const words = [...new Set(lines)].join(' / ');
  return presentText(words.length > 2000 ? `${words.slice(0, 2000)} ..` : words);
}
