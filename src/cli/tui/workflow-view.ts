/** The page of one workflow: how far it is, by status and by stage, how jobs failed, its workers and limits. */
import type { Reply, StatusLine } from '../../api/contract.ts';
import { visible } from '../../base/text.ts';
import { type Page, pageReader } from '../actions/watch.ts';
import { fitted } from '../output/fit.ts';
import { stageLines } from '../output/stage-table.ts';
import { statusSections } from '../output/status-page.ts';
import { cellText, type TextColumn, TextTable } from '../output/table.ts';
import { displayWidth, fitWidth } from '../output/width.ts';
import { JobsView } from './jobs-view.ts';
import { StageReader, StagesView } from './stages.ts';
import { backKey, type KeyHelp, Scroll, type Session, type Size, type Step, type View } from './view.ts';
import { workflowKeys, workflowStep } from './workflow-actions.ts';

type Limit = Reply<'limits_list'>['limits'][number];

/** Of a screen with this many rows a third is for stages. */
const leastStages = 4;

export class WorkflowView implements View {
  readonly workflowKey: string;
  readonly #session: Session;
  readonly #scroll = new Scroll();
  readonly #stages: StageReader;
  readonly #read: (api: Session['api']) => Promise<Page>;
  #page: Page = null;
  #limits: readonly Limit[] = [];

  constructor(session: Session, workflowKey: string) {
    this.#session = session;
    this.workflowKey = workflowKey;
    this.#stages = new StageReader(session, workflowKey);
    this.#read = pageReader(session.context, [workflowKey]);
  }

  title(): string {
    return `workflow ${this.workflowKey}`;
  }

  keys(): readonly KeyHelp[] {
    const line = this.#line;
    const failed = { key: 'f', word: 'failed jobs', help: 'the jobs that failed' };
    return [
      { key: 'Enter', word: 'jobs', help: 'all jobs' },
      ...(line !== undefined && line.num_failed > 0 ? [failed] : []),
      { key: 't', word: 'stages', help: 'all stages, to open the jobs of one' },
      ...workflowKeys(line, this.#maxNodes),
      backKey,
    ];
  }

  waitsFor(): boolean {
    return this.#page === null;
  }

  async load(): Promise<void> {
    const { api } = this.#session;
    const [page, { limits }] = await Promise.all([
      this.#read(api),
      api.call('limits_list', { workflow_key: this.workflowKey }),
    ]);
    this.#page = page;
    this.#limits = limits;
    this.#stages.changed(page?.page.workflow.num_jobs ?? 0);
  }

  async loadMore(): Promise<void> {
    await this.#stages.read();
  }

  lines(size: Size): string[] {
    const { columns, rows } = size;
    const page = this.#page;
    if (page === null) return ['reading ..'];
    const { context } = this.#session;
    const look = { columns, hasColor: context.hasColor };
    const { head, cannotWrite, facts, heldBack, unheard, failures, next } = statusSections(
      context,
      { ...page, now: context.clock.now(), isWatched: true },
      look,
    );
    const text = [
      `${head}${cannotWrite}${facts}`,
      this.#stagesText(size),
      ...[
        heldBack,
        unheard,
        failures,
        workersText(page.page.workers, columns),
        limitsText(this.#limits, columns),
        next,
      ],
    ].join('');
    const lines = text.trimEnd().split('\n');
    return this.#scroll.shown(
      lines.flatMap((line) => broken(line, columns)),
      rows,
    );
  }

  /** The first of them: all have a view of their own. */
  #stagesText({ columns, rows }: Size): string {
    const { stages } = this.#stages;
    // of one stage the head has said it all
    if (stages === null || stages.length < 2) return '';
    const most = Math.max(leastStages, Math.floor(rows / 3));
    // one line more is no longer than what says that there is one
    const shown = stages.length <= most + 1 ? stages : stages.slice(0, most);
    const [header = '', ...lines] = stageLines(shown, { columns, hasColor: this.#session.context.hasColor });
    const rest = stages.length - shown.length;
    return section([header, ...lines, ...(rest === 0 ? [] : [`.. and ${rest} more (t)`])]);
  }

  key(key: string): Step | null {
    if (key === 'enter' || key === 'right') return this.#jobs('');
    if (key === 'f') return this.#jobs('failed');
    if (key === 't') {
      return { kind: 'open', view: new StagesView(this.#session, this.workflowKey, this.#stages) };
    }
    const line = this.#line;
    if (this.#scroll.key(key) || line === undefined) return null;
    return workflowStep(line, key, this.#maxNodes);
  }

  get #line(): StatusLine | undefined {
    return this.#page?.page.workflow;
  }

  get #maxNodes(): number | null {
    return this.#page?.page.autoscaler?.max_nodes ?? null;
  }

  #jobs(filter: string): Step {
    return { kind: 'open', view: new JobsView(this.#session, this.workflowKey, filter) };
  }
}

function section(lines: readonly string[]): string {
  return `\n${lines.map((line) => `${line}\n`).join('')}`;
}

function tableText<T extends object>(
  records: readonly T[],
  columns: number,
  shown: Readonly<Record<string, (record: T) => unknown>>,
): string {
  if (records.length === 0) return '';
  const cells = Object.entries(shown).map(([header, value], at): TextColumn => {
    return { header, cell: (record) => cellText(value(record as T)), isNumeric: false, isText: at === 0 };
  });
  const rows = records as unknown as Record<string, unknown>[];
  return section(new TextTable(fitted(cells, rows, columns).columns).lines(rows).trimEnd().split('\n'));
}

function workersText(workers: NonNullable<Page>['page']['workers'], columns: number): string {
  return tableText(workers, columns, {
    worker: ({ hostname }) => hostname,
    running: ({ num_jobs }) => num_jobs,
    'slurm job': ({ slurm_job_id }) => slurm_job_id,
    state: ({ is_silent }) => (is_silent ? 'not responding' : 'active'),
  });
}

function limitsText(limits: readonly Limit[], columns: number): string {
  return tableText(limits, columns, {
    limit: ({ name }) => visible(name),
    'in use': ({ num_running, maximum }) => `${num_running} of ${maximum}`,
    of: ({ workflow_key }) => (workflow_key === null ? 'all workflows' : 'this workflow'),
  });
}

/** What is meant to be pasted goes on in the next line instead of being cut. */
function broken(line: string, columns: number): string[] {
  if (displayWidth(line) <= columns) return [line];
  if (!/^[\x20-\x7e]*$/.test(line)) return [fitWidth(line, columns)];
  const numLines = Math.ceil(line.length / columns);
  return Array.from({ length: numLines }, (_, at) => line.slice(at * columns, (at + 1) * columns));
}
