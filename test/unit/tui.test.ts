/** Keys and cursors of the terminal view. */
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { JobsView } from '../../src/cli/tui/jobs-view.ts';
import { keyReader } from '../../src/cli/tui/keys.ts';
import { Cursor, Scroll, type Session } from '../../src/cli/tui/view.ts';
import { WorkflowsView } from '../../src/cli/tui/workflow-views.ts';
import { statusLine } from './status-lines.ts';

/** A clock whose timers the test fires. */
function heldClock(): { clock: Clock; fire: () => void } {
  let waiting: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    after(_, call) {
      waiting.push(call);
      return () => {
        waiting = waiting.filter((each) => each !== call);
      };
    },
  };
  return { clock, fire: () => waiting.splice(0).map((call) => call()) };
}

function typed(text: string): string[] {
  const { clock, fire } = heldClock();
  const keys: string[] = [];
  const read = keyReader(clock, (key) => keys.push(key));
  for (const byte of Buffer.from(text).toString('latin1')) read(byte);
  fire();
  return keys;
}

describe('keys', () => {
  it('have names, and characters are themselves, whatever their bytes', () => {
    expect(typed('\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1b[4~')).toEqual([
      'up',
      'down',
      'page-up',
      'page-down',
      'home',
      'end',
    ]);
    expect(typed('a/ü日\r\x7f\x03')).toEqual(['a', '/', 'ü', '日', 'enter', 'backspace', 'interrupt']);
    expect(typed('\x1bOD\x1bOC\x1b[D\x1b[C')).toEqual(['left', 'right', 'left', 'right']);
    // keys without a name do nothing, and their bytes are no characters
    expect(typed('\x1b[15~x\x1b[1;5Cy\x01')).toEqual(['x', 'y']);
  });

  it('an escape without anything after it is a key of its own', () => {
    expect(typed('\x1b')).toEqual(['escape']);
    expect(typed('\x1b\x1b')).toEqual(['escape', 'escape']);
    expect(typed('\x1br\x1b\rx')).toEqual(['escape', 'r', 'escape', 'enter', 'x']);
  });
});

describe('a cursor', () => {
  it('stays inside of its list and on the screen', () => {
    const cursor = new Cursor();
    const at = (key: string, count = 100, rows = 10) => {
      cursor.key(key, count, rows);
      return [cursor.index, cursor.top];
    };
    expect(at('up')).toEqual([0, 0]);
    expect(at('page-down')).toEqual([9, 0]);
    expect(at('down')).toEqual([10, 1]);
    expect(at('end')).toEqual([99, 90]);
    expect(at('down')).toEqual([99, 90]);
    expect(at('up')).toEqual([98, 90]);
    expect(at('home')).toEqual([0, 0]);
    expect(at('end', 3)).toEqual([2, 0]);
    expect(at('down', 0)).toEqual([0, 0]);
    expect(cursor.key('x', 3, 10)).toBe(false);
  });
});

describe('a text', () => {
  it('scrolls as far as it goes, and knows its end', () => {
    const lines = Array.from({ length: 25 }, (_, at) => String(at));
    const scroll = new Scroll();
    expect(scroll.shown(lines, 10)).toEqual(lines.slice(0, 10));
    expect(scroll.isAtEnd).toBe(false);
    scroll.key('page-down');
    expect(scroll.shown(lines, 10)[0]).toBe('9');
    scroll.key('G');
    expect(scroll.shown(lines, 10)).toEqual(lines.slice(15));
    expect(scroll.isAtEnd).toBe(true);
    scroll.key('down');
    expect(scroll.shown(lines, 10)[0]).toBe('15');
    // it has become shorter
    expect(scroll.shown(lines.slice(0, 4), 10)).toEqual(lines.slice(0, 4));
    expect(scroll.isAtEnd).toBe(true);
  });
});

describe('the list of workflows', () => {
  /** Replies wait until they are released. */
  function heldSession() {
    const replies: (() => void)[] = [];
    const workflows = [3, 2, 1].map((key) => statusLine({ workflow_key: String(key) }));
    const call = (): Promise<object> => {
      return new Promise((resolve) => replies.push(() => resolve({ workflows, more: false, state: '1' })));
    };
    const session = { context: { hasColor: false, directory: '/d', userOption: null }, api: { call } };
    return {
      session: session as unknown as Session,
      release: () => replies.splice(0).forEach((reply) => void reply()),
    };
  }

  it('keeps the cursor where it was moved while it was read', async () => {
    const { session, release } = heldSession();
    const view = new WorkflowsView(session);
    const size = { columns: 80, rows: 10 };
    const first = view.load();
    release();
    await first;
    const second = view.load();
    view.lines(size);
    view.key('down');
    release();
    await second;
    expect(view.lines(size)[2]).toMatch(/^> +2 /);
  });

  it.each([
    [{ status: 'uninitialized' }, ['R start', 'c cancel']],
    [{ status: 'running' }, ['p pause', 's nodes', 'R restart', 'c cancel']],
    [{ status: 'paused', num_lost: 1 }, ['r rerun failed', 'p resume', 's nodes', 'R restart', 'c cancel']],
    [{ status: 'failed', has_ended: true, num_failed: 1 }, ['r rerun failed', 'R restart']],
    [{ status: 'canceled', has_ended: true }, ['R restart']],
  ] as const)('names the keys that do something to a workflow like %o, and no others do', async (about, keys) => {
    const call = async () => ({ workflows: [statusLine(about)], more: false, state: '1' });
    const session = { context: { hasColor: false, directory: '/d', userOption: null }, api: { call } };
    const view = new WorkflowsView(session as unknown as Session);
    await view.load();
    expect(view.keys()).toEqual(['Enter open', ...keys, 'q quit']);
    const works = ['r', 'p', 's', 'R', 'c'].filter((key) => view.key(key) !== null);
    expect(works).toEqual(keys.map((words) => words[0]));
  });
});

describe('the list of jobs', () => {
  it.each([
    [{ status: 'ready', held: false }, ['h hold', 'c cancel']],
    [{ status: 'blocked', held: true }, ['h release', 'c cancel']],
    [{ status: 'submitted', held: false }, ['c cancel']],
    [{ status: 'done', held: false }, []],
    [{ status: 'canceled', held: false }, []],
  ] as const)('names the keys that do something to a job that is %o, and no others do', async (about, keys) => {
    const replies = {
      list: { records: [{ job_key: '7', name: 'j', ...about }], more: false },
      status: { workflows: [] },
    };
    const call = async (name: keyof typeof replies) => replies[name];
    const session = { context: { hasColor: false }, api: { call } } as unknown as Session;
    const view = new JobsView(session, '1', 'name=j');
    await view.load({ columns: 80, rows: 10 });
    expect(view.keys()).toEqual([
      'Enter open',
      '/ filter',
      'f failed',
      'a all',
      ...keys,
      'o order',
      'v reverse',
      'Esc back',
    ]);
    expect(['h', 'c'].filter((key) => view.key(key) !== null)).toEqual(keys.map((words) => words[0]));
  });
});
