/** Parses single values as Slurm prints them: instants, durations, sizes, exit codes, job ids. Unreadable ones are null. */

/** Words that Slurm prints for a missing value. */
const absent = new Set(['', 'n/a', 'none', 'unknown', '(null)', 'none assigned', 'not_set', 'invalid']);

/** The text, or null when it is empty or one of Slurm's words for a missing value. */
export function presentText(text: string | undefined): string | null {
  const trimmed = text?.trim() ?? '';
  return absent.has(trimmed.toLowerCase()) ? null : trimmed;
}

/** A whole number of at most 15 digits. For a minimum over several nodes, as in `4+`, the minimum. */
export function parseCount(text: string | undefined): number | null {
  const match = /^([0-9]{1,15})\+?$/.exec(text?.trim() ?? '');
  return match === null ? null : Number(match[1]);
}

/** `2026-11-20T17:45:45` in UTC (the commands run with TZ=UTC), or seconds since 1970, as milliseconds. */
export function parseInstant(text: string | undefined): number | null {
  const trimmed = text?.trim() ?? '';
  if (/^[0-9]{9,12}$/.test(trimmed)) return Number(trimmed) * 1000;
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$/.test(trimmed)) return null;
  const milliseconds = Date.parse(`${trimmed}Z`);
  return Number.isNaN(milliseconds) ? null : milliseconds;
}

/** `D-HH:MM:SS`, `HH:MM:SS`, `MM:SS`, `D-HH`, `D-HH:MM` or minutes, in seconds. UNLIMITED and other words are null. */
export function parseDuration(text: string | undefined): number | null {
  const match = /^(?:([0-9]{1,7})-)?([0-9]{1,9})(?::([0-9]{1,2}))?(?::([0-9]{1,2}))?$/.exec(text?.trim() ?? '');
  if (match === null) return null;
  const [days, first, second, third] = match.slice(1).map((part) => (part === undefined ? null : Number(part)));
  if (first === null || first === undefined) return null;
  if (typeof days === 'number') return ((days * 24 + first) * 60 + (second ?? 0)) * 60 + (third ?? 0);
  if (typeof third === 'number') return (first * 60 + (second ?? 0)) * 60 + third;
  return first * 60 + (second ?? 0);
}

const sizeSuffixes = ['', 'K', 'M', 'G', 'T', 'P'];

/** `208K`, `1.5M`, `0`, in bytes; a bare number is bytes. */
export function parseSize(text: string | undefined): number | null {
  const match = /^([0-9]{1,15}(?:\.[0-9]{1,6})?)([KMGTP]?)$/.exec(text?.trim() ?? '');
  if (match === null) return null;
  const bytes = Math.round(Number(match[1]) * 1024 ** sizeSuffixes.indexOf(match[2] ?? ''));
  return Number.isSafeInteger(bytes) ? bytes : null;
}

export interface ExitStatus {
  exitCode: number;
  /** 0 when no signal ended it. Slurm uses 125 for out of memory and 53 for a job that it could not launch. */
  signal: number;
}

/** `0:125`, as in sacct's ExitCode and DerivedExitCode. */
export function parseExitStatus(text: string | undefined): ExitStatus | null {
  const match = /^([0-9]{1,5}):([0-9]{1,5})$/.exec(text?.trim() ?? '');
  return match === null ? null : { exitCode: Number(match[1]), signal: Number(match[2]) };
}

export interface SlurmJobId {
  /** The id before `_`, `+` and `.`; digits only. */
  jobId: string;
  /** `3` or `[1-3%1]`; null outside of an array. */
  arrayTask: string | null;
  /** `batch`, `extern`, `0` ..; null for the job itself. */
  step: string | null;
}

/** `26`, `10_0`, `10_[0-3%2]`, `12+0`, `13.batch`, `10_0.1`. */
export function parseJobId(text: string | undefined): SlurmJobId | null {
  const match = /^([0-9]{1,15})(?:\+[0-9]+)?(?:_([0-9]+|\[[0-9,:%.-]*\]))?(?:\.([A-Za-z0-9_+-]+))?$/.exec(
    text?.trim() ?? '',
  );
  if (match?.[1] === undefined) return null;
  return { jobId: match[1], arrayTask: match[2] ?? null, step: match[3] ?? null };
}
