/** Keys and cursors of the terminal view. */
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { stageLines, stagesOf } from '../../src/cli/output/stage-table.ts';
import { displayWidth } from '../../src/cli/output/width.ts';
import { frameLines } from '../../src/cli/tui/frame.ts';
import { HelpOverlay } from '../../src/cli/tui/help.ts';
import { JobsView } from '../../src/cli/tui/jobs-view.ts';
import { keyReader } from '../../src/cli/tui/keys.ts';
import { StageReader, stageFilter } from '../../src/cli/tui/stages.ts';
import { backKey, Cursor, Scroll, type Session, type View } from '../../src/cli/tui/view.ts';
import { WorkflowsView } from '../../src/cli/tui/workflows-view.ts';
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

function namesOf(view: View): string[] {
  return view.keys().map(({ key, word }) => `${key} ${word}`);
}

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
    [{ status: 'uninitialized', run_id: 0 }, ['R start', 'p pause', 'c cancel']],
    [{ status: 'uninitialized', run_id: 0, is_paused: true }, ['R start', 'p resume', 'c cancel']],
    [{ status: 'uninitialized', run_id: 1 }, ['R start', 'c cancel']],
    [{ status: 'running', is_paused: true }, ['p resume', 's nodes', 'R restart', 'c cancel']],
    [{ status: 'running' }, ['p pause', 's nodes', 'R restart', 'c cancel']],
    [{ status: 'paused', num_lost: 1 }, ['r rerun failed', 'p pause', 's nodes', 'R restart', 'c cancel']],
    [{ status: 'failed', has_ended: true, num_failed: 1 }, ['r rerun failed', 'e recover', 'R restart']],
    [{ status: 'canceled', has_ended: true }, ['R restart']],
  ] as const)('names the keys that do something to a workflow like %o, and no others do', async (about, keys) => {
    const call = async () => ({ workflows: [statusLine(about)], more: false, state: '1' });
    const session = { context: { hasColor: false, directory: '/d', userOption: null }, api: { call } };
    const view = new WorkflowsView(session as unknown as Session);
    await view.load();
    expect(namesOf(view)).toEqual(['Enter open', ...keys, 'q quit']);
    const works = ['r', 'e', 'p', 's', 'a', 'R', 'c'].filter((key) => view.key(key) !== null);
    expect(works).toEqual(works.filter((key) => keys.some((words) => words.startsWith(`${key} `))));
    expect(works).toHaveLength(keys.length);
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
    expect(namesOf(view)).toEqual([
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

interface ListRequest {
  skip: number;
  limit: number;
  reverse: boolean;
}

/** What a server with so many jobs answers to a view of them. */
function answers(numJobs: number): (name: string, request: ListRequest) => object {
  const all = Array.from({ length: numJobs }, (_, at) => ({ job_key: String(at + 1), name: 'j', status: 'ready' }));
  return (name, { skip, limit, reverse }) => {
    if (name === 'status') return { workflows: [statusLine({ num_jobs: numJobs, num_failed: numJobs / 2 })] };
    const ordered = reverse ? all.toReversed() : all;
    return { records: ordered.slice(skip, skip + limit), more: skip + limit < numJobs };
  };
}

describe('jobs that are read while keys are pressed', () => {
  /** A list of a thousand jobs; each reply waits until it is released. */
  function heldJobs() {
    const replies: (() => void)[] = [];
    const answer = answers(1000);
    const call = (name: string, request: ListRequest): Promise<object> => {
      if (name === 'status') return Promise.resolve(answer(name, request));
      return new Promise((resolve) => replies.push(() => resolve(answer(name, request))));
    };
    const session = { context: { hasColor: false }, api: { call } } as unknown as Session;
    const release = async (): Promise<void> => {
      while (replies.length === 0) await new Promise(setImmediate);
      replies.shift()?.();
    };
    return { session, release };
  }
  const size = { columns: 80, rows: 10 };

  it('a key about a row waits until that row is read, and one that moves does not', async () => {
    const { session, release } = heldJobs();
    const view = new JobsView(session, '1', '');
    expect(['enter', 'down'].map((key) => view.waitsFor(key))).toEqual([true, true]);
    const first = view.load(size);
    await release();
    await first;
    expect(view.waitsFor('enter')).toBe(false);
    expect(view.key('G')).toEqual({ kind: 'load' });
    expect(['enter', 'c', 'h', 'up', '/'].map((key) => view.waitsFor(key))).toEqual([true, true, true, false, false]);
    const last = view.load(size);
    await release();
    await last;
    expect(view.waitsFor('enter')).toBe(false);
    expect(view.lines(size).at(-1)).toMatch(/^> +1000 /);
  });

  it('knows how many failed, and leads to the last of them', async () => {
    const view = new JobsView(
      { context: { hasColor: false }, api: { call: answers(100) } } as unknown as Session,
      '1',
      'failed',
    );
    await view.load(size);
    expect(view.title()).toBe('jobs of workflow 1, failed: 1 of 50');
    view.key('G');
    expect(view.title()).toBe('jobs of workflow 1, failed: 50 of 50');
  });

  it('reads the second half from the end, with the same rows', async () => {
    const skips: number[] = [];
    const answer = answers(100);
    const call = async (name: string, request: ListRequest) => {
      if (name === 'list') skips.push(request.skip);
      return answer(name, request);
    };
    const view = new JobsView({ context: { hasColor: false }, api: { call } } as unknown as Session, '1', '');
    const keysAfter = async (...keys: string[]) => {
      for (const key of keys) view.key(key);
      await view.load(size);
      return view.lines(size).map((line) => line.replace(/^[> ] +/, '').split(' ')[0]);
    };
    const from = (first: number) => ['key', ...Array.from({ length: 9 }, (_, at) => String(first + at))];
    expect(await keysAfter()).toEqual(from(1));
    expect(await keysAfter('G')).toEqual(from(92));
    expect(await keysAfter('g')).toEqual(from(1));
    for (let first = 2; first <= 92; first++) {
      expect(await keysAfter(...(first === 2 ? Array(9).fill('down') : ['down']))).toEqual(from(first));
    }
    expect(Math.max(...skips)).toBe(49);
    await keysAfter('v');
    expect(await keysAfter('G')).toEqual(['key', ...from(1).slice(1).toReversed()]);
  });

  it('what an older filter found is not shown for the newer one', async () => {
    const { session, release } = heldJobs();
    const view = new JobsView(session, '1', 'name=j');
    const older = view.load(size);
    view.key('f');
    await release();
    await older;
    expect(view.title()).toBe('jobs of workflow 1, failed');
    expect(view.lines(size)).toEqual(['reading ..']);
    expect(view.waitsFor('enter')).toBe(true);
    const newer = view.load(size);
    await release();
    await newer;
    expect(view.waitsFor('enter')).toBe(false);
  });
});

describe('the last line', () => {
  const keys = ['Enter open', 'r rerun failed', 'p pause', 'Esc back'].map((text) => {
    const [key = '', ...words] = text.split(' ');
    return { key, word: words.join(' '), help: '' };
  });
  const lastOf = (columns: number, footer: string | null = null) =>
    frameLines({ title: 't', lines: ['a'], footer, keys }, { columns, rows: 3 }, false).at(-1);

  it('names as many keys as fit, always how to see the others', () => {
    expect(lastOf(80)).toBe('Enter open  r rerun failed  p pause  ? help  Esc back');
    expect(lastOf(45)).toBe('Enter open  r rerun failed  ? help  Esc back');
    expect(lastOf(20)).toBe('Enter open  ? help …');
    expect(lastOf(80, 'no server')).toBe('no server');
  });

  it('a frame has as many lines as the terminal, none wider than it, and its title is as wide, whatever it holds', () => {
    const lines = ['日本語'.repeat(20), 'x'.repeat(200), ...Array.from({ length: 50 }, () => 'more')];
    const frame = frameLines({ title: '名前\x1b[31m\n', lines, footer: null, keys }, { columns: 40, rows: 8 }, true);
    expect(frame).toHaveLength(10);
    expect(Math.max(...frame.map(displayWidth))).toBe(40);
    expect(displayWidth(frame[0] ?? '')).toBe(40);
    expect(frame[0]).toContain('\\x1b[31m\\n');
  });
});

it('the help of a view lists its keys and those of all views, each once', () => {
  const keys = [{ key: 'r', word: 'rerun failed', help: 'torc rerun-failed 1' }, backKey];
  const { lines } = new HelpOverlay('workflow 1', keys).body({ columns: 80, rows: 40 });
  expect(lines[1]).toBe('  r       rerun failed   torc rerun-failed 1');
  expect(lines.filter((line) => line.startsWith('  Esc'))).toHaveLength(1);
  expect(lines.filter((line) => displayWidth(line) > 80)).toEqual([]);
});

describe('stages', () => {
  const group = (label: string, stage: number, counts: Record<string, number>) => {
    const num_jobs = Object.values(counts).reduce((sum, n) => sum + n, 0);
    return { label, stage, num_jobs, counts, first_job_key: null };
  };
  const groups = [
    group('merge', 2, { blocked: 1 }),
    group('sim *', 1, { done: 6, failed: 2, submitted: 1, ready: 1 }),
    group('barrier', 1, {}),
  ];

  it('are shown in their order, with what they count', () => {
    const lines = stageLines(stagesOf(groups), { columns: 80, hasColor: false });
    expect(lines).toEqual([
      'stage  jobs named  progress          done  failed  running',
      '    1  sim *       ###########xxx>.  8/10       2        1',
      '    2  merge       ................   0/1       0        0',
    ]);
  });

  it('are read at most every 3 seconds, every minute of many jobs, and only when something has happened', async () => {
    let now = 0;
    let calls = 0;
    const call = async () => {
      calls++;
      return { groups };
    };
    const newReader = () =>
      new StageReader({ context: { clock: { monotonic: () => now } }, api: { call } } as unknown as Session, '1');
    const callsAt = async (reader: StageReader, at: number, isWanted = false) => {
      now = at;
      await reader.read(isWanted);
      return calls;
    };
    const small = newReader();
    small.changed(10);
    expect([await callsAt(small, 0), await callsAt(small, 5_000)]).toEqual([1, 1]);
    small.changed(10);
    expect(await callsAt(small, 5_001)).toBe(2);
    small.changed(10);
    expect([await callsAt(small, 8_000), await callsAt(small, 8_001)]).toEqual([2, 3]);
    const large = newReader();
    large.changed(100_000);
    expect([await callsAt(large, 9_000), await callsAt(large, 10_001)]).toEqual([3, 4]);
    large.changed(100_000);
    expect([await callsAt(large, 70_000), await callsAt(large, 70_001)]).toEqual([4, 5]);
    // who asks for nothing else waits for them only once
    const wanted = newReader();
    wanted.changed(100_000);
    expect([await callsAt(wanted, 70_002, true), await callsAt(wanted, 70_003, true)]).toEqual([6, 6]);
  });

  it('choose their jobs by a filter without spaces', () => {
    expect(stageFilter(group('sim *', 1, { done: 1 }))).toBe('name=sim?*');
  });
});
