/** What is said about a group of jobs, in its box and to those who cannot see it. */
import type { Reply } from '../../api/contract.ts';
import { formatCount } from '../format.ts';
import { jobHref, listHref } from '../route.ts';

export type Group = Reply<'workflow_graph'>['groups'][number];

/** Words by which jobs are counted, the most urgent first, each with what finds such jobs in their list. */
const words = [
  ['failed', 'outcome', 'failed'],
  ['running', 'status', 'submitted,submitted_pending'],
  ['canceled', 'status', 'canceled'],
  ['terminated', 'status', 'terminated'],
  ['ready', 'status', 'ready'],
  ['blocked', 'status', 'blocked'],
  ['uninitialized', 'status', 'uninitialized'],
  ['disabled', 'status', 'disabled'],
  ['done', 'outcome', 'success,forgiven'],
] as const;

/** How many jobs of a group are in a status; those done without a failure are `done`. */
export function countOf({ counts }: Pick<Group, 'counts'>, word: string): number {
  const of = (name: string): number => counts[name] ?? 0;
  return word === 'running' ? of('submitted') + of('submitted_pending') : of(word);
}

export interface Counted {
  word: string;
  count: number;
  /** Their list; null where the names do not say which jobs these are. */
  href: string | null;
}

/** The counts above 0, the most urgent first. */
export function countsOf(workflowKey: string, group: Group): Counted[] {
  const names = namePattern(group);
  return words.flatMap(([word, column, value]) => {
    const count = countOf(group, word);
    if (count === 0) return [];
    const filters = [
      { column: 'name', value: names ?? '' },
      { column, value },
    ];
    return [{ word, count, href: names === null ? null : listHref(workflowKey, 'jobs', { filters }) }];
  });
}

/** The status that a group shows: the most urgent one, and done only when all are. */
export function statusOf(group: Pick<Group, 'counts'>): string {
  return words.find(([word]) => countOf(group, word) > 0)?.[0] ?? 'uninitialized';
}

/** As the bars show it. */
export function shareOf(group: Group): Record<string, number> {
  return {
    succeeded: countOf(group, 'done'),
    failed: countOf(group, 'failed'),
    stopped: countOf(group, 'canceled') + countOf(group, 'terminated'),
    running: countOf(group, 'running'),
  };
}

export function numDone(group: Group): number {
  return countOf(group, 'done') + countOf(group, 'failed');
}

/** What finds jobs with these names in their list; null for a group whose names have nothing in common. */
function namePattern({ label, stage, num_jobs }: Group): string | null {
  return num_jobs > 1 && label === `stage ${stage}: *` ? null : label;
}

/** A job, or the jobs of a group; all jobs where their names have nothing in common. */
export function groupHref(workflowKey: string, group: Group): string {
  if (group.num_jobs === 1 && group.first_job_key !== null) return jobHref(group.first_job_key);
  const names = namePattern(group);
  return listHref(workflowKey, 'jobs', { filters: names === null ? [] : [{ column: 'name', value: names }] });
}

/** A sentence: what it is, how far it is, what it waits for and what waits for it. */
export function spoken(group: Group, before: readonly string[], behind: readonly string[]): string {
  const { label, num_jobs } = group;
  const counts = words.flatMap(([word]) => {
    const count = countOf(group, word);
    return count > 0 ? [num_jobs === 1 ? word : `${formatCount(count)} ${word}`] : [];
  });
  const what = num_jobs === 1 ? `job ${label}` : `${label}, ${formatCount(num_jobs)} jobs`;
  const near = [
    before.length === 0 ? '' : `; after ${listed(before)}`,
    behind.length === 0 ? '' : `; before ${listed(behind)}`,
  ];
  return `${what}: ${counts.join(', ')}${near.join('')}`;
}

const mostNamed = 3;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, mostNamed).join(', ');
  return names.length > mostNamed ? `${shown} and ${names.length - mostNamed} more` : shown;
}

/** A name in so many letters, without its middle. Letters outside Latin may be twice as wide. */
export function cut(name: string, letters: number): string {
  const characters = [...name];
  if (fitting(characters, letters) === characters.length) return name;
  const head = characters.slice(0, fitting(characters, Math.ceil((letters - 1) * 0.6)));
  const tail = characters.slice(head.length).reverse();
  const end = tail.slice(0, fitting(tail, letters - 1 - widthOf(head))).reverse();
  return `${head.join('')}…${end.join('')}`;
}

function widthOf(characters: readonly string[]): number {
  return characters.reduce((sum, character) => sum + ((character.codePointAt(0) ?? 0) >= 0x1100 ? 2 : 1), 0);
}

/** How many of the first characters have room. */
function fitting(characters: readonly string[], room: number): number {
  let width = 0;
  const tooMany = characters.findIndex((character) => {
    width += widthOf([character]);
    return width > room;
  });
  return tooMany < 0 ? characters.length : tooMany;
}
