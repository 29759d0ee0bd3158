/** The jobs of a workflow: only those on the screen are read. */
import type { ListRecord } from '../../api/contract.ts';
import { type ListFilter, parseFilter } from '../input/filters.ts';
import { fitted } from '../output/fit.ts';
import { cellText, type TextColumn, TextTable } from '../output/table.ts';
import { jobKeys, jobStep } from './job-actions.ts';
import { JobView } from './job-view.ts';
import { backKey, Cursor, cursorLine, type KeyHelp, type Session, type Size, type Step, type View } from './view.ts';

/** Keys that do something to the chosen job. */
const ofChosen = ['enter', 'right', 'h', 'c'];

const sorts = ['job_key', 'status', 'name'] as const;

const shownColumns: readonly TextColumn[] = [
  { header: 'key', cell: ({ job_key }) => cellText(job_key), isNumeric: true },
  { header: 'name', cell: ({ name }) => cellText(name), isNumeric: false, isText: true },
  { header: 'status', cell: ({ status }) => cellText(status), isNumeric: false },
  { header: 'code', cell: ({ return_code }) => cellText(return_code), isNumeric: true },
  { header: 'cause', cell: ({ cause }) => cellText(cause), isNumeric: false },
  { header: 'attempt', cell: ({ attempt_id }) => cellText(attempt_id), isNumeric: true },
  { header: 'node', cell: ({ hostname }) => cellText(hostname), isNumeric: false },
];

export class JobsView implements View {
  readonly workflowKey: string;
  readonly #session: Session;
  readonly #cursor = new Cursor();
  #typed: string;
  #sort = 0;
  #isReverse = false;
  /** The rows from `#first` on. */
  #records: readonly ListRecord[] = [];
  #first = 0;
  /** Of all that the filter matches, as far as it is known. */
  #count = 0;
  #hasMore = false;
  /** Goes up with each other question. */
  #version = 0;
  #isLoaded = false;
  #hasFailed = false;
  #rows = 1;

  constructor(session: Session, workflowKey: string, filter: string) {
    this.#session = session;
    this.workflowKey = workflowKey;
    this.#typed = filter;
  }

  title(): string {
    const filter = this.#typed === '' ? '' : `, ${this.#typed}`;
    const sort = sorts[this.#sort] ?? 'job_key';
    const order = sort === 'job_key' && !this.#isReverse ? '' : `, by ${sort}${this.#isReverse ? ', reversed' : ''}`;
    const at =
      this.#records.length === 0 ? '' : `: ${this.#cursor.index + 1} of ${this.#count}${this.#hasMore ? '+' : ''}`;
    return `jobs of workflow ${this.workflowKey}${filter}${order}${at}`;
  }

  keys(): readonly KeyHelp[] {
    const chosen = this.#chosen;
    const open = { key: 'Enter', word: 'open', help: 'why the job is as it is, its attempts and output' };
    const failed = { key: 'f', word: 'failed', help: 'only jobs that failed' };
    return [
      ...(chosen === undefined ? [] : [open]),
      { key: '/', word: 'filter', help: 'words such as sim_* failed status=ready hostname=n1' },
      ...(this.#typed === 'failed' ? [] : [failed]),
      ...(this.#typed === '' ? [] : [{ key: 'a', word: 'all', help: 'without a filter' }]),
      ...(chosen === undefined ? [] : jobKeys(chosen)),
      { key: 'o', word: 'order', help: `by ${sorts.join(', ')} in turn` },
      { key: 'v', word: 'reverse', help: 'the last ones first' },
      backKey,
    ];
  }

  /** A row that is chosen may still have to be read. */
  waitsFor(key: string): boolean {
    if (!this.#isLoaded) return !this.#hasFailed;
    return ofChosen.includes(key) && this.#count > 0 && this.#chosen === undefined;
  }

  async load(size: Size): Promise<void> {
    const version = this.#version;
    this.#hasFailed = false;
    try {
      await this.#read(size);
    } catch (error) {
      this.#hasFailed = version === this.#version;
      throw error;
    }
  }

  async #read(size: Size): Promise<void> {
    const { api } = this.#session;
    const filters = filtersOf(this.#typed).map(({ column, value }) => ({ column, value }));
    this.#rows = Math.max(1, size.rows - 1);
    const { top } = this.#cursor;
    const sort_by = sorts[this.#sort] === 'job_key' ? null : (sorts[this.#sort] ?? null);
    const version = this.#version;
    const all = await this.#numJobs();
    const wanted = pageOf(top, this.#rows, all);
    const list = await api.call('list', {
      ...{ list: 'jobs', workflow_key: this.workflowKey, filters, sort_by },
      ...{ reverse: this.#isReverse !== wanted.isFromEnd, limit: wanted.limit, skip: wanted.skip },
    });
    const records = wanted.isFromEnd ? list.records.toReversed() : list.records;
    const { more } = list;
    const seen = top + records.length;
    // what was asked for meanwhile is read next
    if (version !== this.#version) return;
    this.#records = records;
    this.#first = top;
    this.#isLoaded = true;
    this.#hasMore = more && all === null;
    this.#count = all ?? (more ? Math.max(this.#count, seen + 1) : seen);
    this.#cursor.keep(this.#count, this.#rows);
    // the list has become shorter than what was above the screen
    if (records.length === 0 && this.#cursor.top < top) await this.#read(size);
  }

  /** Of all jobs and of those that failed; null where only the list itself says how many there are. */
  async #numJobs(): Promise<number | null> {
    if (this.#typed !== '' && this.#typed !== 'failed') return null;
    const asked = { workflow_keys: [this.workflowKey], user: null, limit: 1, state: null, wait_seconds: 0 };
    const { workflows } = await this.#session.api.call('status', asked);
    return (this.#typed === '' ? workflows[0]?.num_jobs : workflows[0]?.num_failed) ?? 0;
  }

  lines({ columns }: Size): string[] {
    if (this.#records.length === 0) return [this.#isLoaded ? 'no such jobs' : this.#hasFailed ? '' : 'reading ..'];
    const { hasColor } = this.#session.context;
    const table = new TextTable(fitted(shownColumns, this.#records, columns - 2).columns);
    const [header = '', ...lines] = table.lines(this.#records).trimEnd().split('\n');
    const rows = lines.map((line, at) => cursorLine(line, this.#first + at === this.#cursor.index, hasColor));
    return [`  ${header}`, ...rows];
  }

  key(key: string): Step | null {
    const { top } = this.#cursor;
    if (this.#cursor.key(key, this.#count, this.#rows)) return this.#cursor.top === top ? null : { kind: 'load' };
    const chosen = this.#chosen;
    switch (key) {
      case '/':
        return {
          kind: 'ask',
          question: 'filter (a name, or column=value ..): ',
          initial: this.#typed,
          answer: (text) => this.#filter(text.trim()),
        };
      case 'f':
        return this.#filter('failed');
      case 'a':
        return this.#filter('');
      case 'o':
        this.#sort = (this.#sort + 1) % sorts.length;
        return this.#again();
      case 'v':
        this.#isReverse = !this.#isReverse;
        return this.#again();
      default:
        return chosen === undefined ? null : this.#jobStep(chosen, key);
    }
  }

  get #chosen(): ListRecord | undefined {
    return this.#records[this.#cursor.index - this.#first];
  }

  #jobStep(job: ListRecord, key: string): Step | null {
    if (key !== 'enter' && key !== 'right') return jobStep(job, key);
    return { kind: 'open', view: new JobView(this.#session, this.workflowKey, String(job.job_key)) };
  }

  #filter(text: string): Step {
    this.#typed = text;
    return this.#again();
  }

  #again(): Step {
    this.#cursor.index = 0;
    this.#cursor.top = 0;
    this.#count = 0;
    this.#records = [];
    this.#isLoaded = false;
    this.#version++;
    return { kind: 'load' };
  }
}

/** How to read `rows` jobs from `top` on: those nearer to the end from there, because what is skipped takes time too. */
function pageOf(top: number, rows: number, all: number | null): { isFromEnd: boolean; limit: number; skip: number } {
  if (all === null || top >= all || top < all / 2) return { isFromEnd: false, limit: rows, skip: top };
  const limit = Math.min(rows, all - top);
  return { isFromEnd: true, limit, skip: all - top - limit };
}

/** `failed`, `column=value`, or a part of a name, with spaces between. Throws TorcError 'usage' for none of these. */
function filtersOf(typed: string): ListFilter[] {
  return typed
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => {
      if (word === 'failed') return { column: 'outcome', value: 'failed' };
      if (word.includes('=')) return parseFilter(word);
      return { column: 'name', value: /[*?[]/.test(word) ? word : `*${word}*` };
    });
}
