/** The stages of a workflow: read less often than its page, because every job may count; and as a list, to open one. */
import type { Api } from '../../api/contract.ts';
import { type Stage, stageLines, stagesOf } from '../output/stage-table.ts';
import { JobsView } from './jobs-view.ts';
import { backKey, Cursor, cursorLine, type KeyHelp, type Session, type Size, type Step, type View } from './view.ts';

/** Stages of a larger workflow may take the server a second. */
const largeJobs = 50_000;
const everyMs = { small: 3_000, large: 60_000 };
/** Who goes on to the jobs of a large workflow at once does not wait for its stages. */
const settleMs = 2_000;

export class StageReader {
  readonly #session: Session;
  readonly #workflowKey: string;
  #stages: readonly Stage[] | null = null;
  #numJobs: number | null = null;
  #dueAt = 0;
  #isStale = true;
  #isReading = false;

  constructor(session: Session, workflowKey: string) {
    this.#session = session;
    this.#workflowKey = workflowKey;
  }

  /** Null before they were read. */
  get stages(): readonly Stage[] | null {
    return this.#stages;
  }

  /** Something has happened to the workflow, which has so many jobs. */
  changed(numJobs: number): void {
    if (this.#numJobs === null && numJobs > largeJobs) this.#dueAt = this.#session.context.clock.monotonic() + settleMs;
    this.#numJobs = numJobs;
    this.#isStale = true;
  }

  /** Reads them if something has happened and it is time to; with `isWanted` the first time at once. */
  async read(isWanted = false): Promise<void> {
    const { api, context } = this.#session;
    const now = context.clock.monotonic();
    const isDue = now >= this.#dueAt || (isWanted && this.#stages === null);
    if (!this.#isStale || this.#isReading || !isDue) return;
    this.#isReading = true;
    this.#isStale = false;
    this.#dueAt = now + ((this.#numJobs ?? 0) > largeJobs ? everyMs.large : everyMs.small);
    try {
      this.#stages = stagesOf((await graphOf(api, this.#workflowKey)).groups);
    } catch (error) {
      this.#isStale = true;
      throw error;
    } finally {
      this.#isReading = false;
    }
  }
}

const graphOf = (api: Api, workflow_key: string) => api.call('workflow_graph', { workflow_key });

/** The words of a filter of jobs that chooses those of a stage. */
export function stageFilter({ label }: Stage): string {
  // a filter has words with spaces between them
  return `name=${label.replaceAll(/\s/g, '?')}`;
}

export class StagesView implements View {
  readonly workflowKey: string;
  readonly #session: Session;
  readonly #reader: StageReader;
  readonly #cursor = new Cursor();
  #rows = 1;

  /** `reader`: of the page it was opened from. */
  constructor(session: Session, workflowKey: string, reader: StageReader) {
    this.#session = session;
    this.workflowKey = workflowKey;
    this.#reader = reader;
  }

  title(): string {
    return `stages of workflow ${this.workflowKey}`;
  }

  keys(): readonly KeyHelp[] {
    return [{ key: 'Enter', word: 'jobs', help: 'the jobs of the stage' }, backKey];
  }

  waitsFor(): boolean {
    return this.#reader.stages === null;
  }

  async load(): Promise<void> {
    const asked = { workflow_keys: [this.workflowKey], user: null, limit: 1, state: null, wait_seconds: 0 };
    const { workflows } = await this.#session.api.call('status', asked);
    this.#reader.changed(workflows[0]?.num_jobs ?? 0);
    await this.#reader.read(true);
  }

  async loadMore(): Promise<void> {
    await this.#reader.read();
  }

  lines({ columns, rows }: Size): string[] {
    const { stages } = this.#reader;
    if (stages === null) return ['reading ..'];
    if (stages.length === 0) return ['no jobs'];
    this.#rows = rows - 1;
    this.#cursor.keep(stages.length, this.#rows);
    const { top, index } = this.#cursor;
    const { hasColor } = this.#session.context;
    const [header = '', ...lines] = stageLines(stages, { columns: columns - 2, hasColor });
    const shown = lines.slice(top, top + this.#rows);
    return [`  ${header}`, ...shown.map((line, at) => cursorLine(line, top + at === index, hasColor))];
  }

  key(key: string): Step | null {
    const stages = this.#reader.stages ?? [];
    if (this.#cursor.key(key, stages.length, this.#rows)) return null;
    const chosen = stages[this.#cursor.index];
    if (chosen === undefined || (key !== 'enter' && key !== 'right')) return null;
    return { kind: 'open', view: new JobsView(this.#session, this.workflowKey, stageFilter(chosen)) };
  }
}
