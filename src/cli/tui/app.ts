/** `torc tui`: a stack of views on the whole terminal, read again as the server says that something has changed. */
import type { FollowedMessage } from '../../api/events.ts';
import { delay } from '../../base/clock.ts';
import { asTorcError, TorcError } from '../../base/errors.ts';
import { visible } from '../../base/text.ts';
import type { Connection } from '../connection/connection.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { openScreen, type Screen } from '../context/screen.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { fitWidth } from '../output/width.ts';
import { keyReader } from './keys.ts';
import { type Overlay, PlanOverlay, QuestionOverlay } from './overlays.ts';
import type { Session, Step, View } from './view.ts';
import { WorkflowsView, WorkflowView } from './workflow-views.ts';

const tickMs = 1000;
const reconnectMs = 1000;
const everything = { workflow_keys: null, after: null, records: false, filters: [] };

/** Until the person ends it. Throws TorcError 'usage' without a terminal. */
export async function showTerminalView(context: Context, key: string | null): Promise<void> {
  refuseWithoutTerminal(context);
  const given = key ?? context.workflowKey;
  // what is wrong with the key is said before the screen is taken
  const chosen = await withConnection(context, async ({ api }) =>
    given === null ? null : await chooseWorkflow(context, api, given, 'reads'),
  );
  await new App(context, chosen).run();
}

function refuseWithoutTerminal({ terminal, env, format, torc }: Context): void {
  const isTerminal = terminal.isStdinTerminal && terminal.isStdoutTerminal && env.TERM !== 'dumb';
  if (isTerminal && format === 'text') return;
  const what = isTerminal ? 'torc tui prints neither JSON nor CSV' : 'torc tui needs a terminal to draw on';
  throw new TorcError('usage', what, `Use ${torc} status, or ${torc} watch to follow.`);
}

class App {
  readonly #context: Context;
  readonly #session: Session;
  readonly #views: View[];
  readonly #ending = new AbortController();
  #screen: Screen | null = null;
  #overlay: Overlay | null = null;
  /** Why what is shown may be old. */
  #trouble: string | null = null;
  #isConnected = false;
  #isReading = false;
  #mustRead = false;
  #failed: (error: unknown) => void = () => {};

  constructor(context: Context, workflowKey: string | null) {
    this.#context = context;
    // set before anything is read
    this.#session = { context, api: null as unknown as Session['api'] };
    this.#views = [new WorkflowsView(this.#session)];
    if (workflowKey !== null) this.#views.push(new WorkflowView(this.#session, workflowKey));
  }

  async run(): Promise<void> {
    const failure = new Promise<never>((_, reject) => {
      this.#failed = reject;
    });
    const press = keyReader(this.#context.clock, (key) => this.#act(() => this.#press(key)));
    const removeHandler = this.#context.interrupts.handle(() => this.#ending.abort());
    this.#screen = openScreen(this.#context.terminal, { key: press, resized: () => this.#resized() });
    let stopTicking = (): void => {};
    const tick = (): void => {
      this.#act(() => this.#tick());
      stopTicking = this.#context.clock.after(tickMs, tick);
    };
    try {
      tick();
      await Promise.race([this.#stayConnected(), failure]);
    } finally {
      this.#ending.abort();
      stopTicking();
      this.#screen.close();
      removeHandler();
    }
  }

  get #view(): View {
    return this.#views.at(-1) as View;
  }

  /** Connects again, to whoever serves then, when the server is gone. */
  async #stayConnected(): Promise<void> {
    const { signal } = this.#ending;
    const said: string[] = [];
    const terminal = { ...this.#context.terminal, err: (text: string) => void said.push(text) };
    while (!signal.aborted) {
      try {
        await withConnection({ ...this.#context, terminal }, (connection) => this.#follow(connection));
      } catch (error) {
        if (!isAbsence(error)) throw error;
        this.#trouble = troubleText(error);
      }
      this.#isConnected = false;
      this.#draw();
      if (!signal.aborted) await delay(this.#context.clock, reconnectMs, signal);
    }
  }

  /** Until the person ends it, or nobody serves any more. */
  async #follow(connection: Connection): Promise<void> {
    const removeHandler = this.#context.interrupts.handle(() => this.#ending.abort());
    try {
      // actions connect to this process too
      await connection.serve().catch(() => {});
      this.#session.api = connection.api;
      this.#isConnected = true;
      for await (const message of connection.follow(everything, this.#ending.signal)) {
        if (message.event === 'away') {
          this.#trouble = troubleText(new TorcError('unreachable', message.data.message));
          return;
        }
        if (this.#concerns(message)) this.#read();
      }
    } finally {
      removeHandler();
    }
  }

  #concerns(message: FollowedMessage): boolean {
    if (message.event !== 'changed') return true;
    const key = this.#view.workflowKey;
    return key === null || message.data.workflows.some(({ workflow_key }) => workflow_key === key);
  }

  /** Reads what the view shows, once more if something changes meanwhile. */
  #read(): void {
    this.#mustRead = true;
    if (this.#isReading || !this.#isConnected) return;
    this.#isReading = true;
    this.#act(async () => {
      try {
        while (this.#mustRead && this.#isConnected && !this.#ending.signal.aborted) {
          this.#mustRead = false;
          await this.#view.load(this.#room());
          this.#trouble = null;
          this.#draw();
        }
      } catch (error) {
        if (asTorcError(error).code === 'bug') throw error;
        this.#trouble = troubleText(error);
        this.#draw();
      } finally {
        this.#isReading = false;
      }
    });
  }

  /** Work whose failure ends the view, so that the terminal is given back and the error printed. */
  #act(work: () => unknown): void {
    void (async () => {
      try {
        await work();
      } catch (error) {
        if (!this.#ending.signal.aborted) this.#failed(error);
      }
    })();
  }

  async #tick(): Promise<void> {
    await this.#view.tick?.();
    this.#draw();
  }

  #resized(): void {
    this.#draw();
    this.#read();
  }

  #press(key: string): void {
    if (key === 'interrupt') return void this.#ending.abort();
    const overlay = this.#overlay;
    if (overlay !== null) {
      const next = overlay.key(key);
      if (next !== overlay) {
        this.#overlay = null;
        if (next !== null && 'kind' in next) this.#take(next);
        this.#read();
      }
      return void this.#draw();
    }
    if (key === 'q' || key === 'Q') return void this.#ending.abort();
    if (key === 'escape' || key === 'left' || key === 'backspace') this.#take({ kind: 'back' });
    else {
      const step = this.#view.key(key);
      if (step !== null) this.#take(step);
    }
    this.#draw();
  }

  #take(step: Step): void {
    switch (step.kind) {
      case 'open':
        this.#views.push(step.view);
        this.#read();
        break;
      case 'back':
        if (this.#views.length > 1) this.#views.pop();
        this.#read();
        break;
      case 'load':
        this.#read();
        break;
      case 'ask':
        this.#overlay = new QuestionOverlay(step);
        break;
      case 'plan':
        this.#overlay = new PlanOverlay(this.#context, step.action, () => this.#draw());
    }
  }

  /** What the view has between its title and the keys. */
  #room() {
    const [columns, rows] = [this.#screen?.columns() ?? 80, this.#screen?.rows() ?? 24];
    return { columns, rows: Math.max(1, rows - 2) };
  }

  #draw(): void {
    if (this.#screen === null) return;
    const size = this.#room();
    const { columns, rows } = size;
    const overlay = this.#overlay;
    const shown = overlay?.body(size) ?? { title: this.#view.title(), lines: this.#view.lines(size) };
    const space = Array.from({ length: Math.max(0, rows - shown.lines.length) }, () => '');
    const title = fitWidth(visible(`torc  ${shown.title}`), columns);
    const footer = overlay?.footer(columns) ?? this.#trouble ?? keysLine(this.#view.keys(), columns);
    const { hasColor } = this.#context;
    this.#screen.draw([
      hasColor ? `\x1b[7m${title.padEnd(columns)}\x1b[0m` : title,
      ...shown.lines.slice(0, rows).map((line) => fitWidth(line, columns)),
      ...space,
      fitWidth(footer, columns),
    ]);
  }
}

/** No server is there: a later one may be. */
function isAbsence(error: unknown): boolean {
  const { code } = asTorcError(error);
  return code === 'unreachable' || code === 'busy';
}

function troubleText(error: unknown): string {
  return visible(`${asTorcError(error).message}${isAbsence(error) ? '; still trying' : ''}`);
}

/** As many as fit; the first and the last one always. */
function keysLine(keys: readonly string[], columns: number): string {
  const all = [...keys];
  while (all.length > 2 && all.join('  ').length > columns) all.splice(-2, 1);
  return all.join('  ');
}
