/** The list of workflows, and the page of one of them. */
import type { StatusLine } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import { type Page, pageReader } from '../actions/watch.ts';
import { statusPage } from '../output/status-page.ts';
import { statusTable } from '../output/status-table.ts';
import { displayWidth, fitWidth } from '../output/width.ts';
import { JobsView } from './jobs-view.ts';
import {
  canceling,
  type PlannedAction,
  pausing,
  rerunning,
  restarting,
  scheduling,
  starting,
} from './planned-action.ts';
import { Cursor, cursorLine, Scroll, type Session, type Size, type Step, type View } from './view.ts';

export class WorkflowsView implements View {
  readonly workflowKey = null;
  readonly #session: Session;
  readonly #cursor = new Cursor();
  #lines: readonly StatusLine[] = [];
  #hasMore = false;
  #isLoaded = false;
  #rows = 1;

  constructor(session: Session) {
    this.#session = session;
  }

  title(): string {
    const more = this.#hasMore ? `the newest ${this.#lines.length} ` : '';
    return `${more}workflows in ${this.#session.context.directory}`;
  }

  keys(): readonly string[] {
    return ['Enter open', ...workflowKeys(this.#chosen), 'q quit'];
  }

  async load(): Promise<void> {
    const { api, context } = this.#session;
    const asked = { workflow_keys: null, user: context.userOption, limit: limits.statusLines, state: null };
    const { workflows, more } = await api.call('status', { ...asked, wait_seconds: 0 });
    // the cursor may have moved meanwhile
    const chosen = this.#chosen?.workflow_key;
    this.#lines = workflows;
    this.#hasMore = more;
    this.#isLoaded = true;
    // a new workflow does not move the cursor to another one
    const at = workflows.findIndex(({ workflow_key }) => workflow_key === chosen);
    if (at >= 0) this.#cursor.index = at;
  }

  lines({ columns, rows }: Size): string[] {
    if (this.#lines.length === 0) return [this.#isLoaded ? 'no workflows' : 'reading ..'];
    this.#rows = rows - 1;
    this.#cursor.keep(this.#lines.length, this.#rows);
    const { top, index } = this.#cursor;
    const { hasColor } = this.#session.context;
    const shown = this.#lines.slice(top, top + this.#rows);
    const [header = '', ...lines] = statusTable(shown, { columns: columns - 2, hasColor })
      .trimEnd()
      .split('\n');
    return [`  ${header}`, ...lines.map((line, at) => cursorLine(line, top + at === index, hasColor))];
  }

  key(key: string): Step | null {
    const chosen = this.#chosen;
    if (this.#cursor.key(key, this.#lines.length, this.#rows) || chosen === undefined) return null;
    if (key === 'enter' || key === 'right') {
      return { kind: 'open', view: new WorkflowView(this.#session, chosen.workflow_key) };
    }
    return workflowStep(chosen, key);
  }

  get #chosen(): StatusLine | undefined {
    return this.#lines[this.#cursor.index];
  }
}

export class WorkflowView implements View {
  readonly workflowKey: string;
  readonly #session: Session;
  readonly #scroll = new Scroll();
  readonly #read: (api: Session['api']) => Promise<Page>;
  #page: Page = null;

  constructor(session: Session, workflowKey: string) {
    this.#session = session;
    this.workflowKey = workflowKey;
    this.#read = pageReader(session.context, [workflowKey]);
  }

  title(): string {
    return `workflow ${this.workflowKey}`;
  }

  keys(): readonly string[] {
    const line = this.#page?.page.workflow;
    const failed = line !== undefined && line.num_failed > 0 ? ['f failed jobs'] : [];
    return ['Enter jobs', ...failed, ...workflowKeys(line), 'Esc back'];
  }

  async load(): Promise<void> {
    this.#page = await this.#read(this.#session.api);
  }

  lines({ columns, rows }: Size): string[] {
    if (this.#page === null) return ['reading ..'];
    const { context } = this.#session;
    const parts = { ...this.#page, now: context.clock.now(), isWatched: true };
    const text = statusPage(context, parts, { columns, hasColor: context.hasColor });
    const lines = text.trimEnd().split('\n');
    return this.#scroll.shown(
      lines.flatMap((line) => broken(line, columns)),
      rows,
    );
  }

  key(key: string): Step | null {
    const line = this.#page?.page.workflow;
    if (key === 'enter' || key === 'right') return this.#jobs('');
    if (key === 'f') return this.#jobs('failed');
    if (this.#scroll.key(key) || line === undefined) return null;
    return workflowStep(line, key);
  }

  #jobs(filter: string): Step {
    return { kind: 'open', view: new JobsView(this.#session, this.workflowKey, filter) };
  }
}

interface WorkflowAction {
  key: string;
  word: string;
  step: Step;
}

/** What can be done to a workflow as it is, the most important first. */
function workflowActions({ workflow_key: key, status, has_ended, num_failed, num_lost }: StatusLine): WorkflowAction[] {
  const planned = (pressed: string, word: string, action: PlannedAction): WorkflowAction => {
    return { key: pressed, word, step: { kind: 'plan', action } };
  };
  const rerun = num_failed + num_lost > 0 ? [planned('r', 'rerun failed', rerunning(key))] : [];
  if (status === 'uninitialized') return [planned('R', 'start', starting(key)), planned('c', 'cancel', canceling(key))];
  const restart = planned('R', 'restart', restarting(key));
  if (has_ended) return [...rerun, restart];
  const isPaused = status === 'paused';
  return [
    ...rerun,
    planned('p', isPaused ? 'resume' : 'pause', pausing(key, isPaused)),
    { key: 's', word: 'nodes', step: askAllocations(key) },
    restart,
    planned('c', 'cancel', canceling(key)),
  ];
}

function workflowKeys(line: StatusLine | undefined): string[] {
  return line === undefined ? [] : workflowActions(line).map(({ key, word }) => `${key} ${word}`);
}

/** What a key does to a workflow. */
function workflowStep(line: StatusLine, pressed: string): Step | null {
  return workflowActions(line).find(({ key }) => key === pressed)?.step ?? null;
}

function askAllocations(key: string): Step {
  const step: Step = {
    kind: 'ask',
    question: `allocations to submit for workflow ${key}, 1 to 9999: `,
    initial: '1',
    answer(text) {
      const count = /^[1-9][0-9]{0,3}$/.test(text.trim()) ? Number(text) : null;
      return count === null ? step : { kind: 'plan', action: scheduling(key, count) };
    },
  };
  return step;
}

/** What is meant to be pasted goes on in the next line instead of being cut. */
function broken(line: string, columns: number): string[] {
  if (displayWidth(line) <= columns) return [line];
  if (!/^[\x20-\x7e]*$/.test(line)) return [fitWidth(line, columns)];
  const numLines = Math.ceil(line.length / columns);
  return Array.from({ length: numLines }, (_, at) => line.slice(at * columns, (at + 1) * columns));
}
