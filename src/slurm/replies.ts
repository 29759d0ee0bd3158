/** Reads sbatch's replies, whatever a site's wrapper or submit filter prints around them. */
import { presentText } from './fields.ts';

/**
 * The id in the output of `sbatch --parsable`: a line that is `ID` or `ID;CLUSTER`, or sbatch's usual sentence, as some
 * wrappers print it. Null when there is none, and when any other line has a digit: it could be the id as well.
 */
export function submittedId(stdout: string): { slurmJobId: string; cluster: string | null } | null {
  const [line, ...others] = stdout
    .split('\n')
    .map((each) => each.trim())
    .filter((each) => /\p{Nd}/u.test(each));
  if (line === undefined || others.length > 0) return null;
  const match =
    /^([1-9][0-9]{0,14})(?:;([^\s;]+))?$/.exec(line) ??
    /^Submitted batch job ([1-9][0-9]{0,14})(?: on cluster (\S+))?$/.exec(line);
  return match?.[1] === undefined ? null : { slurmJobId: match[1], cluster: match[2] ?? null };
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
