/**
 * Memory and time as people and Slurm write them. Memory units are binary (`1k` is 1024 bytes), bytes and seconds are
 * what the rest of torc computes with. Everything that cannot be read throws TorcError('usage').
 */
import { TorcError } from './errors.ts';
import { memoryUnits } from './unit-texts.ts';

export { formatDuration, formatMemory } from './unit-texts.ts';

const memoryPattern = /^([0-9]+(?:\.[0-9]+)?|\.[0-9]+) *([kmgtp]?)(ib?|b)?$/i;
const memoryHint = "Write memory as a number with a unit: '512m', '1.5g' or '1t' (binary: 1g is 1024m).";

const minute = 60;
const hour = 3600;
const day = 86_400;
/** About a hundred years: beyond any allocation, and far from where milliseconds stop being exact integers. */
const longestSeconds = 36_525 * day;

const isoPattern =
  /^P(?=[0-9T])(?:([0-9.]+)W)?(?:([0-9.]+)D)?(?:T(?=[0-9])(?:([0-9.]+)H)?(?:([0-9.]+)M)?(?:([0-9.]+)S)?)?$/i;
const shortPattern = /^(?:([0-9.]+)d)? *(?:([0-9.]+)h)? *(?:([0-9.]+)m(?:in)?)? *(?:([0-9.]+)s)?$/i;
const clockPattern = /^(?:([0-9]+)-)?([0-9]+)(?::([0-9]+))?(?::([0-9]+))?$/;
const durationHint = "Write a duration as ISO 8601 ('PT1H30M', 'P1DT2H'), as '01:30:00' or '1-00:00:00', or as '90m'.";
const walltimeHint =
  "Write a walltime as Slurm does: '30' (minutes), '04:00:00' or '1-00:00:00' (days-hours:minutes:seconds).";

/** A value in a message: quoted, one line, cut when it is long. */
function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

/**
 * Bytes of a memory size such as `512m`, `1.5G`, `400M`, `2GiB` or `100kb`.
 *
 * A number without a unit is bytes; below 1 MiB it is refused, because people who write `512` mean something else.
 */
export function parseMemory(text: string): number {
  const match = memoryPattern.exec(text.trim());
  if (match === null) throw new TorcError('usage', `${shown(text)} is not an amount of memory.`, memoryHint);
  const [, digits = '', letter = '', bytesMark = ''] = match;
  const power = memoryUnits.indexOf(letter.toLowerCase() as (typeof memoryUnits)[number]);
  const bytes = Math.round(Number(digits) * 1024 ** power);
  if (bytes > Number.MAX_SAFE_INTEGER)
    throw new TorcError('usage', `${shown(text)} is more memory than any machine has.`, memoryHint);
  if (letter === '' && bytesMark === '' && bytes < 1024 ** 2) {
    const meant = bytes === 0 ? '.' : `; did you mean ${digits}${bytes < 64 ? 'g' : 'm'}?`;
    throw new TorcError('usage', `${shown(text)} means ${bytes} bytes, too little for any job${meant}`, memoryHint);
  }
  return bytes;
}

/** A memory size as Slurm writes it: mebibytes, or a number with K, M, G or T. Null when absent, zero or unreadable. */
export function slurmMemoryBytes(text: string | null | undefined): number | null {
  const match = /^([0-9]{1,12})([KMGT]?)B?$/i.exec(text?.trim() ?? '');
  if (match === null) return null;
  const power = { K: 1, '': 2, M: 2, G: 3, T: 4 }[(match[2] ?? '').toUpperCase()] ?? 2;
  const bytes = Number(match[1]) * 1024 ** power;
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : null;
}

/**
 * Seconds (possibly with a fraction) of a duration: ISO 8601 (`PT1H30M`, `P1DT2H`), `HH:MM:SS`, `D-HH[:MM[:SS]]`, or
 * units (`90s`, `1h30m`, `2d`). A bare number and `MM:SS` are refused: their unit would be a guess.
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  const seconds = isoSeconds(trimmed) ?? shortSeconds(trimmed) ?? clockSeconds(trimmed);
  if (seconds !== null) return checkedSeconds(seconds, text, durationHint);
  if (/^[0-9]+(:[0-9]+)?$/.test(trimmed)) {
    throw new TorcError('usage', `${shown(text)} does not say its unit: hours, minutes or seconds?`, durationHint);
  }
  if (/^P[0-9.]+[YM]/i.test(trimmed)) {
    throw new TorcError(
      'usage',
      `${shown(text)} has years or months, whose length varies: use weeks or days.`,
      durationHint,
    );
  }
  throw new TorcError('usage', `${shown(text)} is not a duration.`, durationHint);
}

function isoSeconds(text: string): number | null {
  const match = isoPattern.exec(text);
  return match === null ? null : weighted(match.slice(1), [7 * day, day, hour, minute, 1]);
}

function shortSeconds(text: string): number | null {
  const match = text === '' ? null : shortPattern.exec(text);
  return match === null ? null : weighted(match.slice(1), [day, hour, minute, 1]);
}

function clockSeconds(text: string): number | null {
  const match = clockPattern.exec(text);
  if (match === null) return null;
  const [, days, first, second, third] = match;
  const isUnclear = days === undefined && third === undefined;
  return isUnclear ? null : weighted([days, first, second, third], [day, hour, minute, 1]);
}

function weighted(parts: readonly (string | undefined)[], weights: readonly number[]): number {
  return parts.reduce((sum, part, i) => sum + (part === undefined ? 0 : Number(part)) * (weights[i] ?? 0), 0);
}

function checkedSeconds(seconds: number, text: string, hint: string): number {
  if (!Number.isFinite(seconds)) throw new TorcError('usage', `${shown(text)} is not a duration.`, hint);
  if (seconds > longestSeconds) throw new TorcError('usage', `${shown(text)} is longer than a hundred years.`, hint);
  return Math.round(seconds * 1000) / 1000;
}

/**
 * Seconds of a time limit in Slurm's own formats: `MM`, `MM:SS`, `HH:MM:SS`, `D-HH`, `D-HH:MM`, `D-HH:MM:SS`.
 * Zero and `UNLIMITED` are refused: torc plans with the end of an allocation. Source: sbatch(1), `--time`.
 */
export function parseWalltime(text: string): number {
  const match = clockPattern.exec(text.trim());
  if (match === null) {
    const isUnlimited = /^(unlimited|infinite)$/i.test(text.trim());
    const message = isUnlimited ? 'torc needs to know when an allocation ends' : `${shown(text)} is not a walltime`;
    throw new TorcError('usage', `${message}.`, walltimeHint);
  }
  const [, days, first, second, third] = match;
  const weights = days !== undefined ? [hour, minute, 1] : third !== undefined ? [hour, minute, 1] : [minute, 1, 0];
  const seconds = Number(days ?? 0) * day + weighted([first, second, third], weights);
  if (seconds === 0) throw new TorcError('usage', `${shown(text)} is not longer than zero.`, walltimeHint);
  return checkedSeconds(seconds, text, walltimeHint);
}
