/** `torc tui`: a stack of views on the whole terminal, read again as the server says that something has changed. */
import type { FollowedMessage } from '../../api/events.ts';
import { delay } from '../../base/clock.ts';
import { asTorcError, exitCodes, TorcError } from '../../base/errors.ts';
import { visible } from '../../base/text.ts';
import type { Connection } from '../connection/connection.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { openScreen, type Screen } from '../context/screen.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { frameLines } from './frame.ts';
import { HelpOverlay } from './help.ts';
import { keyReader } from './keys.ts';
import { type Overlay, PlanOverlay, QuestionOverlay } from './overlays.ts';
import type { Session, Step, View } from './view.ts';
import { WorkflowView } from './workflow-view.ts';
import { WorkflowsView } from './workflows-view.ts';

const tickMs = 1000;
const reconnectMs = 1000;
const everything = { workflow_keys: null, after: null, records: false, filters: [] };

/** Until the person ends it; the exit code. Throws TorcError 'usage' without a terminal. */
export async function showTerminalView(context: Context, key: string | null): Promise<number> {
  refuseWithoutTerminal(context);
  const given = key ?? context.workflowKey;
  // what is wrong with the key is said before the screen is taken
  const chosen = await withConnection(context, async ({ api }) =>
    given === null ? null : await chooseWorkflow(context, api, given, 'reads'),
  );
  return await new App(context, chosen).run();
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
  /** Keys that were pressed before what they are about was read, in their order. */
  #held: string[] = [];
  /** An action may have changed what was read. */
  #isOutdated = false;
  #isConnected = false;
  #isReading = false;
  #mustRead = false;
  #isInterrupted = false;
  #failed: (error: unknown) => void = () => {};

  constructor(context: Context, workflowKey: string | null) {
    this.#context = context;
    // set before anything is read
    this.#session = { context, api: null as unknown as Session['api'] };
    this.#views = [new WorkflowsView(this.#session)];
    if (workflowKey !== null) this.#views.push(new WorkflowView(this.#session, workflowKey));
  }

  async run(): Promise<number> {
    const failure = new Promise<never>((_, reject) => {
      this.#failed = reject;
    });
    const press = keyReader(this.#context.clock, (key) => this.#act(() => this.#press(key)));
    const removeHandler = this.#context.interrupts.handle(this.#interrupted);
    this.#screen = openScreen(this.#context.terminal, {
      key: press,
      resized: () => this.#act(() => this.#resized()),
      lost: this.#interrupted,
    });
    let stopTicking = (): void => {};
    const tick = (): void => {
      this.#act(() => this.#loadMore());
      this.#act(() => this.#draw());
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
    return this.#isInterrupted ? exitCodes.interrupted : 0;
  }

  get #view(): View {
    return this.#views.at(-1) as View;
  }

  #interrupted = (): void => {
    this.#isInterrupted = true;
    this.#ending.abort();
  };

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
        this.#troubledBy(error);
      }
      this.#isConnected = false;
      this.#draw();
      if (!signal.aborted) await delay(this.#context.clock, reconnectMs, signal);
    }
  }

  /** Until the person ends it, or nobody serves any more. */
  async #follow(connection: Connection): Promise<void> {
    const removeHandler = this.#context.interrupts.handle(this.#interrupted);
    try {
      // actions connect to this process too
      await connection.serve().catch(() => {});
      this.#session.api = connection.api;
      this.#isConnected = true;
      for await (const message of connection.follow(everything, this.#ending.signal)) {
        if (message.event === 'away') return this.#troubledBy(new TorcError('unreachable', message.data.message));
        if (this.#concerns(message)) this.#read();
      }
    } finally {
      removeHandler();
    }
  }

  #troubledBy(error: unknown): void {
    this.#trouble = troubleText(error);
    this.#held = [];
    this.#isOutdated = false;
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
          if (!this.#mustRead) this.#pressHeld();
          this.#act(() => this.#loadMore());
        }
      } catch (error) {
        this.#report(error);
      } finally {
        this.#isReading = false;
      }
    });
  }

  async #loadMore(): Promise<void> {
    if (!this.#isConnected) return;
    try {
      await this.#view.loadMore?.();
    } catch (error) {
      this.#report(error);
    }
    this.#draw();
  }

  /** Throws a bug; anything else passes, and is shown. */
  #report(error: unknown): void {
    if (asTorcError(error).code === 'bug') throw error;
    this.#troubledBy(error);
    this.#draw();
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

  #resized(): void {
    this.#draw();
    this.#read();
  }

  #press(key: string): void {
    if (key === 'interrupt') return void this.#ending.abort();
    if (key === 'redraw') this.#screen?.forget();
    else if (this.#overlay !== null) this.#pressOn(this.#overlay, key);
    else if (this.#held.length > 0) this.#held.push(key);
    else if (key === 'q' || key === 'Q') return void this.#ending.abort();
    else if (key === 'escape' || key === 'left' || key === 'backspace') this.#take({ kind: 'back' });
    else if (this.#mustWait(key)) this.#held.push(key);
    else if (key === '?') this.#overlay = new HelpOverlay(this.#view.title(), this.#view.keys());
    else {
      const step = this.#view.key(key);
      if (step !== null) this.#take(step);
    }
    this.#draw();
  }

  #pressOn(overlay: Overlay, key: string): void {
    const next = overlay.key(key);
    if (next === overlay) return;
    this.#overlay = null;
    this.#isOutdated ||= overlay instanceof PlanOverlay;
    if (next !== null && 'kind' in next) this.#take(next);
    this.#read();
  }

  /** What cannot be read is not waited for. Keys after one that waits do so too: what they are about depends on it. */
  #mustWait(key: string): boolean {
    if (this.#trouble !== null || !(this.#isReading || this.#mustRead)) return false;
    return this.#isOutdated || this.#view.waitsFor(key);
  }

  #pressHeld(): void {
    this.#isOutdated = false;
    for (const key of this.#held.splice(0)) this.#press(key);
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
        this.#overlay = new PlanOverlay(this.#context, step.action, () => this.#act(() => this.#draw()));
    }
  }

  /** What the view has between its title and the keys. */
  #room() {
    const [columns, rows] = [this.#screen?.columns() ?? 80, this.#screen?.rows() ?? 24];
    return { columns, rows: Math.max(1, rows - 2) };
  }

  #draw(): void {
    const size = this.#room();
    const overlay = this.#overlay;
    const view = this.#view;
    const { title, lines } = overlay?.body(size) ?? { title: view.title(), lines: view.lines(size) };
    const footer = overlay?.footer(size.columns) ?? this.#trouble;
    this.#screen?.draw(frameLines({ title, lines, footer, keys: view.keys() }, size, this.#context.hasColor));
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
