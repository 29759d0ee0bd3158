/**
 * Labels: words by which jobs choose workers. A set of labels is one text, sorted and without repeats, so that equal sets
 * are equal texts.
 */
import { TorcError } from '../base/errors.ts';
import { harmless } from '../base/text.ts';

/** Labels separated by commas; empty for none. */
export type LabelSet = string;

export const noLabels: LabelSet = '';

/** The most labels of one job, worker or Slurm config. */
export const mostLabels = 64;

export const labelPattern = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.:/@+=-]{0,99}$/u;

export const labelRule = (what: string): string =>
  `A ${what} is up to 100 letters, digits and any of _ . : / @ + = -, and begins with a letter, digit or _.`;

/** Labels that tell what a worker is; nobody gives them. */
const kinds: readonly string[] = ['local', 'slurm'];

/** What is wrong with a label, as the end of a sentence, or null. */
export function problemOfLabel(word: string, what = 'label'): string | null {
  if (labelPattern.test(word)) return null;
  return word === '' ? `is empty. ${labelRule(what)}` : `is not a ${what}. ${labelRule(what)}`;
}

/** What is wrong with labels of a worker or a Slurm config, or null. */
export function problemOfGivenLabels(words: readonly string[]): string | null {
  const kind = words.find((word) => kinds.includes(word));
  return kind === undefined
    ? null
    : `every worker has the label "local" or "slurm" by itself: "${kind}" cannot be given`;
}

/** The set of these words. */
export function labelSet(words: readonly string[]): LabelSet {
  return [...new Set(words.map((word) => word.normalize()))].sort().join(',');
}

export function labelsIn(set: LabelSet): string[] {
  return set === noLabels ? [] : set.split(',');
}

/** Labels as they are typed, separated by commas; none for an empty text. Throws TorcError 'usage' for an odd one. */
export function typedLabels(text: string): string[] {
  return typedWords(text, 'label');
}

/** The same of names of limits. */
export function typedLimits(text: string): string[] {
  return typedWords(text, 'name of a limit');
}

function typedWords(text: string, what: string): string[] {
  return text.trim() === '' ? [] : text.split(',').map((word) => checkedLabel(word.trim(), what));
}

function checkedLabel(word: string, kind: string): string {
  const problem = problemOfLabel(word, kind);
  if (problem === null) return word;
  const [what = '', ...hint] = problem.split('. ');
  throw new TorcError(
    'usage',
    `${word === '' ? `a ${kind}` : harmless(JSON.stringify(word.slice(0, 120)), 'lines')} ${what}`,
    hint.join('. '),
  );
}

/** What a worker is, and where it came from. */
export interface Origin {
  isSlurm: boolean;
  /** Names; null where there is none. */
  config: string | null;
  cluster: string | null;
}

/** The labels that a worker has by itself; a name that could be no label is none. */
export function ownLabels({ isSlurm, config, cluster }: Origin): string[] {
  const names = [config, cluster].flatMap((name) => (name === null ? [] : [name.normalize()]));
  return [isSlurm ? 'slurm' : 'local', ...names.filter((name) => labelPattern.test(name) && !kinds.includes(name))];
}
