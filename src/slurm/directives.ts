/** Writes sbatch options as `#SBATCH` lines, so that no value can become a second option or another line. */
import { TorcError } from '../base/errors.ts';

/** Line breaks, NUL and every other control character, and halves of surrogate pairs. */
const unprintable = /[\p{Cc}\p{Cs}\u2028\u2029]/gu;

/** sbatch reads a directive into a buffer of 8,192 bytes. */
const directiveBytes = 8000;

/** Options that the script sets itself, or that would hide the allocation from torc. */
const reserved: Readonly<Record<string, string>> = {
  array: 'ask for several allocations with `schedule-nodes -n` instead',
  chdir: 'the script changes to the directory that the allocation was submitted from',
  clusters: 'torc follows only the cluster that it runs on',
  error: 'torc writes it to the output directory',
  help: 'it prints and submits nothing',
  'job-name': 'torc finds its allocations by their names; give a prefix with `schedule-nodes -j`',
  nodes: 'set it with `--nodes` of the Slurm config',
  'open-mode': 'torc keeps what an earlier start of the same allocation wrote',
  output: 'torc writes it to the output directory',
  parsable: 'torc reads the reply itself',
  signal:
    'workers warn the jobs; set `termination_signal` and `sigterm_lead_seconds` in the workflow, and `supports_termination` in its jobs',
  'test-only': 'it submits nothing',
  time: 'set it with `--walltime` of the Slurm config',
  usage: 'it prints and submits nothing',
  version: 'it prints and submits nothing',
  wait: 'torc does not wait inside sbatch',
  wrap: 'torc writes the script',
};
const reservedLetters: Readonly<Record<string, string>> = {
  a: 'array',
  D: 'chdir',
  e: 'error',
  h: 'help',
  J: 'job-name',
  M: 'clusters',
  N: 'nodes',
  o: 'output',
  t: 'time',
  u: 'usage',
  V: 'version',
  W: 'wait',
};

/** The text itself when a script may contain it; throws `usage` for a control character or line break. */
export function checkedText(what: string, text: string): string {
  if (text.search(unprintable) === -1) return text;
  const escaped = text
    .slice(0, 80)
    .replace(unprintable, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const shown = `"${escaped}${text.length > 80 ? '..' : ''}"`;
  throw new TorcError(
    'usage',
    `The ${what} ${shown} contains a line break or another control character.`,
    `Give a ${what} on one line, without control characters.`,
  );
}

/** A word as sbatch reads it: bare when plain, else in double quotes with backslashes before `"` and `\`. */
function quotedWord(value: string): string {
  if (/^[A-Za-z0-9_./:,=@%+*[\]-]+$/.test(value)) return value;
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/** `#SBATCH --name=value`, or `#SBATCH --name` without a value; `what` names the value in errors. */
export function directive(name: string, value: string | number | null, what: string): string {
  const text = value === null ? null : checkedText(what, String(value));
  const line = text === null ? `#SBATCH --${name}` : `#SBATCH --${name}=${quotedWord(text)}`;
  return checkedLength(line, what);
}

function checkedLength(line: string, what: string): string {
  if (Buffer.byteLength(line) <= directiveBytes) return line;
  throw new TorcError(
    'usage',
    `The ${what} is longer than sbatch can read (${directiveBytes} bytes).`,
    `Give a shorter ${what}.`,
  );
}

/** Splits a text into words as a shell would, with quotes and backslashes; nothing is expanded. */
export function splitWords(text: string, what: string): string[] {
  checkedText(what, text);
  const words: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (quote === null && /\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
      continue;
    }
    word ??= '';
    const next = text[at + 1];
    if (char === '\\' && quote !== "'" && next !== undefined && (quote === null || next === '"' || next === '\\')) {
      word += next;
      at += 1;
    } else if (quote === null && (char === '"' || char === "'")) quote = char;
    else if (char === quote) quote = null;
    else word += char;
  }
  if (quote !== null) {
    throw new TorcError(
      'usage',
      `The ${what} ${JSON.stringify(text)} has an unclosed quotation mark.`,
      `Close the ${quote}.`,
    );
  }
  if (word !== null) words.push(word);
  return words;
}

/** Short options of sbatch without a value; others may follow in the same word. */
const flagLetters = 'HIkOQsv';

/** The long name of the reserved option that a word sets, or null; sbatch accepts abbreviated long names. */
function reservedOption(word: string): string | null {
  if (!word.startsWith('--')) {
    const letter = [...word.slice(1)].find((char) => !flagLetters.includes(char)) ?? '';
    return reservedLetters[letter] ?? null;
  }
  const name = word.slice(2).split('=', 1)[0] ?? '';
  return Object.keys(reserved).find((option) => option.startsWith(name)) ?? null;
}

/**
 * A directive for each word of the extra options, such as `--constraint=x --exclusive -C'a&b'`. Throws
 * `usage` for a word that is not an option and for options that torc sets itself.
 */
export function extraDirectives(text: string): string[] {
  const what = 'extra options text';
  return splitWords(text, what).map((word) => {
    if (!/^(-[A-Za-z]|--[A-Za-z])/.test(word)) {
      throw new TorcError(
        'usage',
        `${JSON.stringify(word)} in the extra options does not begin with \`-\` and a letter.`,
        'Write each option as one word, as in `--constraint=x --exclusive`; quote a value that contains spaces.',
      );
    }
    const option = reservedOption(word);
    if (option !== null) {
      const reason = reserved[option] ?? 'torc sets it itself';
      const message = `${JSON.stringify(word)} is not allowed in the extra options: ${reason}.`;
      throw new TorcError('usage', message, 'Remove it from the extra options of the Slurm config.');
    }
    const [name = '', ...rest] = word.split('=');
    const value = rest.join('=');
    const written = rest.length > 0 && /^--[a-z-]+$/i.test(name) ? `${name}=${quotedWord(value)}` : quotedWord(word);
    return checkedLength(`#SBATCH ${written}`, what);
  });
}
