/** What lies over a view for a while: a line that is typed, and the plan of an action with its question. */
import type { Context } from '../context/context.ts';
import { displayWidth, fitWidth, wrapped } from '../output/width.ts';
import { changedSince, stateOfText } from '../plans/shown-plan.ts';
import { type PlannedAction, type Printed, printed } from './planned-action.ts';
import { Scroll, type Size, type Step } from './view.ts';

export interface Overlay {
  /** What is shown instead of the view; null for the view. */
  body(size: Size): { title: string; lines: string[] } | null;
  footer(columns: number): string;
  /** What is to be done next; itself to stay, null for nothing. */
  key(key: string): Overlay | Step | null;
}

type Question = Extract<Step, { kind: 'ask' }>;

export class QuestionOverlay {
  readonly #question: Question;
  #typed: string;

  constructor(question: Question) {
    this.#question = question;
    this.#typed = question.initial;
  }

  body(): null {
    return null;
  }

  footer(columns: number): string {
    const line = `${this.#question.question}${this.#typed}_`;
    if (displayWidth(line) <= columns) return line;
    // the end of a long text is what is being typed
    const characters = [...line];
    while (displayWidth(characters.join('')) >= columns) characters.shift();
    return `…${characters.join('')}`;
  }

  key(key: string): QuestionOverlay | Step | null {
    if (key === 'enter') return this.#question.answer(this.#typed);
    if (key === 'escape') return null;
    if (key === 'backspace') this.#typed = [...this.#typed].slice(0, -1).join('');
    else if ([...key].length === 1) this.#typed += key;
    return this;
  }
}

export class PlanOverlay {
  #context: Context;
  readonly #action: PlannedAction;
  readonly #changed: () => void;
  readonly #scroll = new Scroll();
  #state: 'planning' | 'asking' | 'doing' | 'done' = 'planning';
  #printed: Printed = { text: '', isError: false };
  #hasChanged = false;

  constructor(context: Context, action: PlannedAction, changed: () => void) {
    this.#context = context;
    this.#action = action;
    this.#changed = changed;
    void this.#plan().then((plan) => this.#show(plan, 'asking'));
  }

  #plan(): Promise<Printed> {
    if (this.#action.isExact === true) this.#context = { ...this.#context, seenPlan: { state: null } };
    return printed(this.#context, this.#action, true);
  }

  #show(text: Printed, state: 'asking' | 'done'): void {
    this.#printed = text;
    this.#state = text.isError ? 'done' : state;
    this.#scroll.top = 0;
    this.#changed();
  }

  /** Applies what was shown, or shows the plan of now where that is another one. */
  async #apply(): Promise<void> {
    if (this.#action.isExact === true) {
      const plan = await this.#plan();
      this.#hasChanged = stateOfText(plan.text) !== stateOfText(this.#printed.text);
      if (this.#hasChanged) return this.#show(plan, 'asking');
    }
    this.#show(await printed(this.#context, this.#action, false), 'done');
  }

  body({ columns, rows }: Size): { title: string; lines: string[] } {
    const { title } = this.#action;
    if (this.#state === 'planning') return { title, lines: ['planning ..'] };
    if (this.#state === 'doing') return { title, lines: ['working ..'] };
    const text = this.#printed.text.trimEnd().split('\n');
    const above = this.#hasChanged ? [changedSince, ''] : [];
    const lines = [`$ ${this.#context.torc} ${this.#action.typed}`, '', ...above, ...text].flatMap((line) =>
      wrapped(line, columns),
    );
    return { title, lines: this.#scroll.shown(lines, rows).map((line) => fitWidth(line, columns)) };
  }

  footer(): string {
    switch (this.#state) {
      case 'asking':
        return 'Do it?  y yes  n no, change nothing';
      case 'planning':
      case 'done':
        return 'Esc back';
      default:
        return '';
    }
  }

  key(key: string): PlanOverlay | null {
    if (this.#state === 'planning') return key === 'escape' ? null : this;
    if (this.#state === 'doing') return this;
    if (this.#scroll.key(key)) return this;
    if (this.#state === 'done') return null;
    if (key === 'n' || key === 'N' || key === 'escape' || key === 'q') return null;
    if (key !== 'y' && key !== 'Y') return this;
    this.#state = 'doing';
    void this.#apply();
    return this;
  }
}
