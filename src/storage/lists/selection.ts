/** Rows by what people type: keys, names, patterns, ranges; and the name that they probably meant. */
import type { Reply, Request } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import type { Selectable, Selection } from '../../api/selection.ts';
import { TorcError } from '../../base/errors.ts';
import { isPattern } from '../../model/pattern.ts';
import { quoted } from '../../model/spec/names.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Database } from '../database/database.ts';
import { bracketsNote, isKey, matches, type NamedRow, selection, suggestion } from './named-rows.ts';
import { selectWorkflows } from './workflow-selection.ts';

/** The tables of a workflow's parts: each has an index over (workflow_key, name). */
const parts = {
  jobs: { key: 'job_key', words: 'job', command: 'jobs list' },
  files: { key: 'file_key', words: 'file', command: 'files list' },
  user_data: { key: 'user_data_key', words: 'user data', command: 'user-data list' },
  slurm_configs: { key: 'slurm_config_key', words: 'Slurm config', command: 'hpc slurm list-configs' },
  resource_requirements: {
    key: 'resource_requirements_key',
    words: 'resource requirements',
    command: 'resource-requirements list',
  },
} as const satisfies Record<Exclude<Selectable, 'workflows'>, object>;
type Part = keyof typeof parts;

/** Throws 'not_found' naming the nearest name, 'usage' for more rows than a reply may have. */
export function selectRows(db: Database, request: Request<'select'>): Reply<'select'> {
  const { list, workflow_key: workflowKey, words, user } = request;
  if (list === 'workflows') return { selected: checkedSize(selectWorkflows(db, words, user)) };
  if (workflowKey === null) throw new TorcError('usage', `select: workflow_key is null for ${list}`);
  return { selected: checkedSize(words.map((word) => selectPart(db, list, Number(workflowKey), word))) };
}

function selectPart(db: Database, list: Part, workflowKey: number, word: string): Selection {
  const byKey = () => rowOfKey(db, list, workflowKey, word);
  // keys of jobs are typed more often than numbers as their names; of other parts the names are
  const keyed = list === 'jobs' ? byKey() : undefined;
  if (keyed !== undefined) return selection(word, 'key', [keyed]);
  const named = rowsOfName(db, list, workflowKey, word);
  if (named.length > 0) return selection(word, isPattern(word) && named[0]?.name !== word ? 'pattern' : 'name', named);
  const late = list === 'jobs' ? undefined : byKey();
  if (late !== undefined) return selection(word, 'key', [late]);
  throw unknownPart(db, list, workflowKey, word);
}

function checkedSize(selected: Selection[]): Selection[] {
  const size = selected.reduce((sum, { rows }) => sum + rows.length, 0);
  if (size <= limits.listPage) return selected;
  throw new TorcError('usage', `more than ${limits.listPage} were chosen`, 'Choose fewer with a narrower pattern.');
}

function rowOfKey(db: Database, list: Part, workflowKey: number, word: string): NamedRow | undefined {
  if (!isKey(word)) return undefined;
  const { key } = parts[list];
  const sql = `SELECT ${key} AS key, name FROM ${list} WHERE ${key} = ? AND workflow_key = ?`;
  return db.get<NamedRow>(sql, Number(word), workflowKey);
}

/** The row with this name, else those that match it as a pattern: at most one more than a reply may have. */
function rowsOfName(db: Database, list: Part, workflowKey: number, word: string): NamedRow[] {
  const { key } = parts[list];
  const from = `SELECT ${key} AS key, name FROM ${list} WHERE workflow_key = ?`;
  const named = db.get<NamedRow>(`${from} AND name = ?`, workflowKey, word);
  if (named !== undefined) return [named];
  if (!isPattern(word)) return [];
  const { sql, values } = matches(word);
  // sorted here: sorted there, all that match would be read before the first one is known
  const rows = db.all<NamedRow>(`${from} AND ${sql} LIMIT ?`, workflowKey, ...values, limits.listPage + 1);
  return rows.sort((a, b) => a.key - b.key);
}

/** Jobs of a workflow by names and patterns. Throws 'not_found' for one that is no job's. */
export function jobsNamed(
  db: Database,
  workflowKey: number,
  words: readonly string[],
): { named: number[]; matched: { key: number; status: JobStatus }[] } {
  const named: number[] = [];
  const matched: { key: number; status: JobStatus }[] = [];
  for (const word of words) {
    const row = db.get<NamedRow>(
      'SELECT job_key AS key, name FROM jobs WHERE workflow_key = ? AND name = ?',
      workflowKey,
      word,
    );
    if (row !== undefined) named.push(row.key);
    else if (!isPattern(word)) throw unknownPart(db, 'jobs', workflowKey, word);
    else {
      const { sql, values } = matches(word);
      const found = db.all<{ key: number; status: JobStatus }>(
        `SELECT job_key AS key, status FROM jobs WHERE workflow_key = ? AND ${sql} ORDER BY job_key`,
        workflowKey,
        ...values,
      );
      if (found.length === 0) throw unknownPart(db, 'jobs', workflowKey, word);
      for (const job of found) matched.push(job);
    }
  }
  return { named, matched };
}

function unknownPart(db: Database, list: Part, workflowKey: number, word: string): TorcError {
  const { words, command } = parts[list];
  const hint = `torc -k ${workflowKey} ${command}`;
  if (isPattern(word)) {
    const what = `no ${words} of workflow ${workflowKey} matches ${quoted(word)}${bracketsNote(word)}`;
    return new TorcError('not_found', what, hint);
  }
  const meant = suggestion(db, list, 'workflow_key = ?', [workflowKey], word);
  return new TorcError(
    'not_found',
    `workflow ${workflowKey} has no ${words} ${quoted(word)}${meant || bracketsNote(word)}`,
    hint,
  );
}
