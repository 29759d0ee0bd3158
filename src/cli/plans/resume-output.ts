/** What a resume did besides restarting jobs, as text. */
import type { RestartPlan } from '../../api/contract.ts';
import { jsonText } from '../../base/exact-json.ts';
import { counted } from '../../base/text.ts';
import { type JobDifferences, namedDifferences } from '../../model/decide/job-outline.ts';
import { quoted } from '../../model/spec/names.ts';
import type { Context } from '../context/context.ts';
import { textTable } from '../output/output.ts';
import { cellText } from '../output/table.ts';

/** What was taken over from the specification; empty when nothing was. */
export function takenOverText(context: Context, plan: Pick<RestartPlan, 'taken_over' | 'dry_run'>): string {
  const lines = takenOverLines(plan);
  if (lines.length === 0) return '';
  const jobs = plan.taken_over?.jobs.slice(0, namedDifferences) ?? [];
  const rows = jobs.map(({ fields, ...job }) => ({ ...job, settings: fields.join(', ') }));
  const table = rows.length === 0 ? '' : textTable(context, ['job_key', 'job_name', 'settings'], rows);
  const left = (plan.taken_over?.num_jobs ?? 0) - rows.length;
  return `${lines.join('\n')}\n${table}${left > 0 ? `.. and ${left} more\n` : ''}\n`;
}

/** The same in a line each, without the single jobs. */
export function takenOverLines({ taken_over, dry_run }: Pick<RestartPlan, 'taken_over' | 'dry_run'>): string[] {
  if (taken_over === null) return [];
  const { settings, jobs, num_jobs } = taken_over;
  const verb = dry_run ? 'would take over from the specification' : 'taken over from the specification';
  const lines = settings.map(({ field, old_value, new_value }) => {
    const before = old_value === null ? '' : ` (before: ${shortValue(old_value)})`;
    return `${verb}: ${cellText(field)} ${shortValue(new_value)}${before}`;
  });
  const fields = [...new Set(jobs.flatMap((job) => job.fields))].join(', ');
  return num_jobs === 0 ? lines : [...lines, `${verb}: ${fields} of ${counted(num_jobs, 'job')}`];
}

function shortValue(value: unknown): string {
  if (value === null) return 'none';
  const text = typeof value === 'string' ? value : jsonText(value);
  return cellText(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

/** Jobs of silent workers that count as ended; empty when there are none. */
export function givenUpText({ num_given_up: count }: Pick<RestartPlan, 'num_given_up'>): string {
  if (count === 0) return '';
  return `${counted(count, 'job')} of silent workers ${count === 1 ? 'is' : 'are'} treated as dead (event jobs_given_up)\n\n`;
}

/** How the jobs of a specification differ from the stored ones, with the first of each kind. */
export function differencesText(found: JobDifferences): string {
  const { numAdded, numRemoved, numChanged } = found;
  const named = (word: string, count: number, names: readonly string[]): string[] => {
    if (count === 0) return [];
    const more = count > names.length ? ` and ${count - names.length} more` : '';
    return [`${word}: ${names.join(', ')}${more}`];
  };
  const changed = found.changed.map(({ name, parts }) => `${quoted(name)} (${parts.join(', ')})`);
  return [
    `${numAdded} added, ${numRemoved} removed, ${numChanged} changed`,
    ...named('added', numAdded, found.added.map(quoted)),
    ...named('removed', numRemoved, found.removed.map(quoted)),
    ...named('changed', numChanged, changed),
  ].join('\n  ');
}
