/** The list of workflows. */
import type { StatusLine } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import { statusTable } from '../output/status-table.ts';
import { Cursor, cursorLine, type KeyHelp, type Session, type Size, type Step, type View } from './view.ts';
import { workflowKeys, workflowStep } from './workflow-actions.ts';
import { WorkflowView } from './workflow-view.ts';

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

  keys(): readonly KeyHelp[] {
    return [
      { key: 'Enter', word: 'open', help: 'the page of the workflow' },
      ...workflowKeys(this.#chosen),
      { key: 'q', word: 'quit', help: 'ends the view; the work goes on' },
    ];
  }

  waitsFor(): boolean {
    return !this.#isLoaded;
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
