/**
 * What is the same in the output of jobs that fail alike: the line that names the error, without what differs from job to
 * job (numbers, addresses, paths, times, the job's own name).
 */

/** A log of which only the end is known, and the job that wrote it. */
export interface LogEnd {
  jobName: string;
  stdout: string;
  stderr: string;
}

export interface Signature {
  /** The line by which jobs are grouped; empty when the job wrote nothing. */
  pattern: string;
  /** The last lines as they are, at most `shownLines`. */
  lines: string[];
}

export const shownLines = 3;
/** A line that names the error is looked for among this many. */
const comparedLines = 20;
/** Of a longer line only its beginning counts. */
const longestLine = 400;

const namesError =
  /error|exception|fail|fatal|abort|cannot|can't|could ?n[o']t|unable|denied|not found|no such|invalid|illegal|usage:|segmentation|panic|assert|killed|out of memory|exceeded|timed? ?out|overflow|\bnan\b|core dumped|refused/i;

/** What batch systems and shells add after any failure says nothing about it. */
const saysNothing =
  /^(srun: (error: )?|slurmstepd: |make(\[\d+\])?: \*\*\* |npm err! |mpirun |mpiexec |prte|\+ exit |exit(ed)? (status|code|with)|[-=*#_~.\s]*$)|exited on signal|Exited with exit code|Primary job terminated|process exited|lifecycle/i;

/** The signature of what a job wrote: of stderr, or of stdout when that says nothing. */
export function signatureOf({ jobName, stdout, stderr }: LogEnd): Signature {
  if (stdout === '' && stderr === '') return { pattern: '', lines: [] };
  const errors = lastLinesOf(stderr);
  const error = errorLine(errors);
  const others = error === undefined ? lastLinesOf(stdout) : [];
  const lines = errors.length > 0 ? errors : others;
  const named = error ?? errorLine(others);
  const chosen = named === undefined ? lines.slice(-2) : [named];
  const pattern = chosen.map((line) => normalized(line, jobName)).join(' / ');
  return { pattern, lines: lines.slice(-shownLines).map((line) => line.slice(0, longestLine)) };
}

/** Whether stderr names the error, so that stdout adds nothing to the signature. */
export function saysEnough(stderr: string): boolean {
  return errorLine(lastLinesOf(stderr)) !== undefined;
}

function errorLine(lines: readonly string[]): string | undefined {
  return lines.findLast((line) => namesError.test(line) && !saysNothing.test(line));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colors and cursor moves of terminals
const escapes = /\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07)/g;

/** The last lines that are not empty, at most `comparedLines`. */
function lastLinesOf(text: string): string[] {
  if (text === '') return [];
  const plain = text.includes('\x1b') ? text.replace(escapes, '') : text;
  const lines: string[] = [];
  for (let end = plain.length; end >= 0 && lines.length < comparedLines; ) {
    const breakAt = end === 0 ? -1 : plain.lastIndexOf('\n', end - 1);
    const line = shownOf(plain.slice(breakAt + 1, end));
    if (line !== '') lines.unshift(line);
    end = breakAt;
  }
  return lines;
}

/** A progress line is drawn over the one before. */
function shownOf(line: string): string {
  return (line.split('\r').findLast((part) => part.trim() !== '') ?? '').trimEnd();
}

/** In this order: a time contains numbers, a path may contain all of them. */
const variable: readonly (readonly [RegExp, string])[] = [
  [/\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?)?/g, '<time>'],
  [
    /\b(mon|tue|wed|thu|fri|sat|sun)?,? ?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec) +\d{1,2}( \d\d:\d\d:\d\d)?( \d{4})?/gi,
    '<time>',
  ],
  [/\b\d{1,2}:\d\d(:\d\d)?([.,]\d+)?\b/g, '<time>'],
  [/\b0x[0-9a-f]+\b/gi, '<hex>'],
  [/\b[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi, '<id>'],
  [/\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b/gi, '<hex>'],
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi, '<url>'],
  [/(?<![\w<])~?\.{0,2}(\/[\w.@%+=,~-]+)+\/?/g, '<path>'],
  [/\b[\w.@%+=~-]+(\/[\w.@%+=,~-]+)+/g, '<path>'],
  [/[+-]?\d+(\.\d+)?([eE][+-]?\d+)?/g, '<n>'],
];

/** The line without what differs between jobs that fail alike. */
export function normalized(line: string, jobName: string): string {
  let text = line.slice(0, longestLine);
  if (jobName.length > 1) text = text.replaceAll(jobName, '<job>');
  for (const [pattern, word] of variable) text = text.replace(pattern, word);
  return text
    .replace(/(<n>)([.,:x]<n>)+/g, '<n>')
    .replace(/\s+/g, ' ')
    .trim();
}
