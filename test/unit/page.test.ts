/** What the dashboard's page computes: addresses, filters, which rows are drawn, texts. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { wholeCharacters } from '../../src/cli/answers/read-log.ts';
import { filtersText, parseFilters, withFilter } from '../../src/page/filters.ts';
import { formatPace, plainOutput, relativeTime } from '../../src/page/format.ts';
import { Repeater } from '../../src/page/hooks.ts';
import { jobHref, listHref, parseRoute, wholeList } from '../../src/page/route.ts';
import { scrollToShow, windowOf } from '../../src/page/virtual.ts';

describe('addresses of the page', () => {
  it('lead to what they were made for', () => {
    const query = {
      filters: [
        { column: 'status', value: 'ready,blocked' },
        { column: 'name', value: 'a=b & c/?#%' },
      ],
      sortBy: 'name',
      isReversed: true,
    };
    expect(parseRoute(listHref('7', 'jobs', query))).toEqual({ page: 'list', key: '7', list: 'jobs', query });
    expect(parseRoute(listHref('7', 'events'))).toEqual({ page: 'list', key: '7', list: 'events', query: wholeList });
    expect(parseRoute(jobHref('12', '2.1'))).toEqual({ page: 'job', key: '12', attempt: '2.1' });
    expect(parseRoute('')).toEqual({ page: 'workflows' });
    expect(parseRoute('#/workflows/7')).toEqual({ page: 'workflow', key: '7' });
  });

  it.each(['#/workflows/x', '#/workflows/7/nothing', '#/workflows/7/jobs/1', '#/jobs/0', '#/other/1', '#/jobs'])(
    '%s leads nowhere',
    (hash) => expect(parseRoute(hash)).toEqual({ page: 'unknown' }),
  );
});

describe('filters as they are typed', () => {
  it.each([
    ['status=ready name=sim_*', 'status', 'ready'],
    [`name="a b" x=1`, 'name', 'a b'],
    [`name='a "b"'`, 'name', 'a "b"'],
    ['data=x=y', 'data', 'x=y'],
    ['cause=', 'cause', ''],
    ['prep', 'name', '*prep*'],
    ['prep*', 'name', 'prep*'],
  ])('%s', (text, column, value) => {
    expect(parseFilters(text)[0]).toEqual({ column, value });
  });

  it('are written so that they are read again', () => {
    const filters = [
      { column: 'name', value: `it's "so" \\ odd` },
      { column: 'status', value: 'ready' },
      { column: 'cause', value: '' },
    ];
    expect(parseFilters(filtersText(filters))).toEqual(filters);
    expect(withFilter(filters, 'status', null)).toHaveLength(2);
    expect(withFilter(filters, 'status', 'done').at(-1)).toEqual({ column: 'status', value: 'done' });
    expect(parseFilters('  ')).toEqual([]);
  });
});

describe('the rows that are drawn', () => {
  const [rowHeight, view] = [27, 600];

  it('cover the view wherever it is', () => {
    for (const numRows of [0, 1, 10, 1000, 1_000_000]) {
      const { height } = windowOf(numRows, rowHeight, 0, view);
      for (let part = 0; part <= 10; part += 1) {
        const scrollTop = (Math.max(0, height - view) * part) / 10;
        const { first, count, top } = windowOf(numRows, rowHeight, scrollTop, view);
        expect(first).toBeGreaterThanOrEqual(0);
        expect(first + count).toBeLessThanOrEqual(numRows);
        expect(count).toBeLessThan(60);
        // nothing of the view is empty, unless the rows end
        expect(top <= scrollTop || first === 0).toBe(true);
        expect(top + count * rowHeight >= scrollTop + view - 1 || first + count === numRows).toBe(true);
      }
    }
  });

  it('of a million are reached at the end, and the table stays below the limits of browsers', () => {
    const { height } = windowOf(1_000_000, rowHeight, 0, view);
    expect(height).toBeLessThan(17_000_000);
    const { first, count } = windowOf(1_000_000, rowHeight, height - view, view);
    expect(first + count).toBe(1_000_000);
  });

  it.each([0, 5, 500_000, 999_999])('are in view after scrolling to row %i', (row) => {
    const scrollTop = scrollToShow(row, 1_000_000, rowHeight, 6_000_000, view) ?? 6_000_000;
    const { first, count, top } = windowOf(1_000_000, rowHeight, scrollTop, view);
    expect(row).toBeGreaterThanOrEqual(first);
    expect(row).toBeLessThan(first + count);
    const drawnAt = top + (row - first) * rowHeight;
    expect(drawnAt).toBeGreaterThan(scrollTop - 1);
    expect(drawnAt + rowHeight).toBeLessThan(scrollTop + view + 1);
    expect(scrollToShow(row, 1_000_000, rowHeight, scrollTop, view)).toBeNull();
  });
});

describe('texts', () => {
  it('of times and paces', () => {
    const now = Date.parse('2026-01-01T12:00:00Z');
    expect(relativeTime('2026-01-01T11:59:18Z', now)).toBe('42 s ago');
    expect(relativeTime('2026-01-01T11:59:57Z', now)).toBe('3 s ago');
    expect(relativeTime('2026-01-01T12:03:05Z', now)).toBe('in 3m 05s');
    expect(relativeTime('2026-01-01T12:00:00.4Z', now)).toBe('now');
    expect(formatPace(0.01)).toBe('36 jobs/h');
  });

  it('of programs have no colors and no lines that were drawn over', () => {
    expect(plainOutput('\x1b[31mred\x1b[0m\r\n 10 %\r 20 %\r100 %\nend\r')).toBe('red\n100 %\nend\r');
    expect(plainOutput('\x1b]0;a title\x07one\n\x1b]8;;http://x\x1b\\two\n\x1b]open\n')).toBe('one\ntwo\n\x1b]open\n');
  });

  it.each([
    ['aé', 3],
    ['a€', 4],
    ['a😀', 5],
  ])('%s is cut between characters', (text, length) => {
    const bytes = Buffer.from(text);
    expect(wholeCharacters(bytes)).toBe(length);
    for (let cut = 2; cut < length; cut += 1) expect(wholeCharacters(bytes.subarray(0, cut))).toBe(1);
    // what is no text is passed on
    expect(wholeCharacters(Buffer.from([0x61, 0xff, 0xbf]))).toBe(3);
  });
});

describe('what is asked for again', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** How often it is asked for in a minute in which something happens every 100 ms, at this cost. */
  async function asksOfAMinute(costMs: number): Promise<number> {
    let asks = 0;
    const repeater = new Repeater(async () => {
      asks += 1;
      return costMs;
    }, 1000);
    for (let at = 0; at < 599; at++) {
      repeater.ask();
      await vi.advanceTimersByTimeAsync(100);
    }
    repeater.end();
    return asks;
  }

  it('comes at most so often, and less often the more it costs', async () => {
    expect(await asksOfAMinute(0)).toBe(60);
    expect(await asksOfAMinute(10)).toBe(60);
    expect(await asksOfAMinute(50)).toBe(12);
    expect(await asksOfAMinute(10_000)).toBe(1);
  });

  it('comes once more for what happened meanwhile', async () => {
    let asks = 0;
    const repeater = new Repeater(async () => {
      asks += 1;
      return 0;
    }, 1000);
    repeater.ask();
    await vi.advanceTimersByTimeAsync(10);
    repeater.ask();
    repeater.ask();
    expect(asks).toBe(1);
    await vi.advanceTimersByTimeAsync(5000);
    expect(asks).toBe(2);
    repeater.end();
  });
});
