import { describe, expect, it } from 'vitest';
import { type ListRecord, limits } from '../../src/api/contract.ts';
import { harmless, visible } from '../../src/base/text.ts';
import { type OutputFormat, outputFormats } from '../../src/cli/context/context.ts';
import { firstPageRows, listPages, pageRows } from '../../src/cli/input/list.ts';
import { csvLine } from '../../src/cli/output/csv.ts';
import { textColumns } from '../../src/cli/output/list-columns.ts';
import { localInstant, withLocalInstants } from '../../src/cli/output/local-time.ts';
import { printList, printResult, type ShownColumns, textTable } from '../../src/cli/output/output.ts';
import { bar, statusTable } from '../../src/cli/output/status-table.ts';
import { cellText, factLines, TextTable } from '../../src/cli/output/table.ts';
import { fieldLines } from '../../src/cli/output/text-columns.ts';
import { displayWidth, fitWidth, wrapped } from '../../src/cli/output/width.ts';
import { fakeClock, fakeContext, fakeTerminal, listServer } from './cli-fakes.ts';
import { statusLine } from './status-lines.ts';

const oddNames = [
  'a b',
  'it\'s "x"',
  '$HOME',
  'line\nbreak',
  'tab\there',
  'grün 日本',
  '--dash',
  'a,b',
  '\x1b[31mred',
  '',
];

async function* pagesOf(...pages: ListRecord[][]): AsyncGenerator<ListRecord[]> {
  yield* pages;
}

async function printed(format: OutputFormat, pages: ListRecord[][], shown?: ShownColumns): Promise<string> {
  const terminal = fakeTerminal();
  await printList(fakeContext(terminal, { outputFormat: format }), 'jobs', pagesOf(...pages), shown);
  return terminal.stdout.join('');
}

const job = (key: number, name: string): ListRecord => ({
  job_key: String(key),
  name,
  status: 'ready',
  return_code: null,
  memory_bytes: 1024 ** 3,
});

describe('JSON lists', () => {
  it('are one value with every record, for any names', async () => {
    const records = oddNames.map((name, at) => job(at + 1, name));
    expect(JSON.parse(await printed('json', [records.slice(0, 3), records.slice(3)]))).toEqual({ jobs: records });
  });

  it('are an empty list for no page, an empty page and pages that end empty', async () => {
    expect(JSON.parse(await printed('json', []))).toEqual({ jobs: [] });
    expect(JSON.parse(await printed('json', [[]]))).toEqual({ jobs: [] });
    expect(JSON.parse(await printed('json', [[job(1, 'a')], []]))).toEqual({ jobs: [job(1, 'a')] });
  });

  it('keep all columns even if some are excluded from text', async () => {
    const shown = { chosen: ['name'], excluded: ['status'] };
    expect(JSON.parse(await printed('json', [[job(1, 'a')]], shown)).jobs[0]).toEqual(job(1, 'a'));
  });
});

describe('CSV', () => {
  it('quotes as RFC 4180 requires and distinguishes null from empty', () => {
    expect(csvLine(['a', 'b c', 'd,e', 'f"g', 'h\ni', null, '', 1.5, true, { x: [1] }, ' y'])).toBe(
      'a,b c,"d,e","f""g","h\ni",,"",1.5,true,"{""x"":[1]}"," y"\n',
    );
  });

  it('has one header for all pages and all columns of the records', async () => {
    const text = await printed('csv', [[job(1, 'a')], [job(2, 'b')]]);
    expect(text.split('\n')).toEqual([
      'job_key,name,status,return_code,memory_bytes',
      '1,a,ready,,1073741824',
      '2,b,ready,,1073741824',
      '',
    ]);
  });

  it('has a header even for an empty list', async () => {
    expect(await printed('csv', [[]])).toBe(`${textColumns.jobs.join(',')}\n`);
  });
});

describe('text', () => {
  it('has as many words in each line as columns, so that awk can count them', async () => {
    const lines = (await printed('text', [[job(1, 'first'), job(1234567, '')]])).trimEnd().split('\n');
    expect(lines.map((line) => line.split(/ +/).length)).toEqual([4, 4, 4]);
    expect(lines[0]?.split(/ +/)).toEqual(['job_key', 'status', 'return_code', 'name']);
  });

  it('shows control characters instead of obeying them', () => {
    expect(visible('a\nb\tc\rd')).toBe('a\\nb\\tc\\rd');
    expect(visible('\x1b[31m\x00\x9b\u202e\u2028')).toBe('\\x1b[31m\\x00\\x9b\\u202e\\u2028');
    expect(visible('a\u200bb\ufeff\u00ad\u{e0041}\ud800')).toBe('a\\u200bb\\ufeff\\xad\\udb40\\udc41\\ud800');
    expect(visible('👩\u200d💻 می\u200cخواهم')).toBe('👩\u200d💻 می\u200cخواهم');
    expect(cellText(null)).toBe('-');
    expect(cellText('')).toBe('-');
    expect(cellText({ a: ['\n'] })).toBe('{"a":["\\n"]}');
  });

  it('is harmless on a terminal, and as JSON it stays the same', () => {
    const hostile = { a: '\x1b]0;x\x07\x7f\x9b31m\u202e\u200b\u2028\ufeff é' };
    const shown = harmless(`${JSON.stringify(hostile)}\n`, 'lines');
    expect(shown).toMatch(/^[\x20-\x7eé]+\n$/);
    expect(JSON.parse(shown)).toEqual(hostile);
    expect(harmless('\x1b[32mdone\x1b[0m\t\x1b[2J\r', 'colors')).toBe('\x1b[32mdone\x1b[0m\t\\u001b[2J\\u000d');
    expect(harmless('\x1b[32mdone\x1b[0m', 'lines')).toBe('\\u001b[32mdone\\u001b[0m');
    expect(harmless('10 %\r\x1b[K\x1b[1A\x07', 'log')).toBe('10 %\r\x1b[K\\u001b[1A\\u0007');
  });

  it('aligns by display width, with wide and combining characters', () => {
    expect(displayWidth('日本')).toBe(4);
    expect(displayWidth('e\u0301')).toBe(1);
    expect(displayWidth('\x1b[32mdone\x1b[0m')).toBe(4);
    const columns = ['a', 'b'].map((header) => ({
      header,
      cell: (record: ListRecord) => cellText(record[header]),
      isNumeric: false,
    }));
    const table = new TextTable(columns);
    expect(
      table.lines([
        { a: '日本', b: 'x' },
        { a: 'abcd', b: 'y' },
      ]),
    ).toBe('a     b\n日本  x\nabcd  y\n');
    expect(table.lines([{ a: 'longer than before', b: 'z' }])).toBe('longer than before  z\n');
  });

  it('cuts to a width without cutting a wide character in two', () => {
    expect(fitWidth('abcdef', 6)).toBe('abcdef');
    expect(fitWidth('abcdef', 4)).toBe('abc…');
    expect(fitWidth('日本語', 4)).toBe('日…');
    expect(fitWidth('abc', 0)).toBe('');
    // colours take no width, and none goes on after the cut
    expect(fitWidth('\x1b[31mabcdef\x1b[0m', 6)).toBe('\x1b[31mabcdef\x1b[0m');
    expect(fitWidth('\x1b[31mabcdef\x1b[0m', 4)).toBe('\x1b[31mabc…\x1b[0m');
  });

  it('of workflows fit, whatever they say: numbers are left out before the state is', () => {
    const large = { num_jobs: 1_000_000, num_done: 100_000, num_ready: 900_000, num_running: 12_345 };
    const lines = [
      statusLine({ workflow_key: '12345', name: 'n'.repeat(200), status: 'uninitialized' }),
      statusLine({ ...large, eta_seconds: 100_000 }),
    ];
    for (const columns of [78, 80, 100, 200]) {
      for (const hasColor of [false, true]) {
        const table = statusTable(lines, { columns, hasColor }).trimEnd().split('\n');
        for (const line of table) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
        expect(table[0]).toMatch(/^ +key {2}name .* state$/);
        expect(table[1]).toMatch(/ uninitializ/);
      }
    }
    expect(statusTable(lines, { columns: 200, hasColor: false })).toMatch(/ running .* ready .* left /);
  });

  it('of workflows without jobs show nothing as done', () => {
    expect(bar(statusLine({ num_jobs: 0, num_ready: 0 }), 5, false)).toBe('.....');
    expect(bar(statusLine({ num_done: 3, num_ready: 0 }), 5, false)).toBe('#####');
  });

  it('writes sizes with a unit and instants to the second', async () => {
    const text = await printed('text', [[{ job_key: '1', memory_bytes: 1536 * 1024 ** 2 }]], {
      chosen: ['job_key', 'memory_bytes'],
      excluded: [],
    });
    expect(text).toBe('job_key  memory\n1          1.5G\n');
    expect(
      factLines([
        ['a', 1],
        ['bc', null],
      ]),
    ).toBe('a:  1\nbc: -\n');
  });

  it('of plans fit a terminal: the last text is broken into lines, a command in it stays whole', () => {
    const rows = [
      { job_key: '3', name: 'x'.repeat(60), reason: 'work_2 failed with return code 3: torc jobs reset-status 3 --x' },
      { job_key: '15', name: 'b', reason: 'none' },
    ];
    const columns = ['job_key', 'name', 'reason'];
    const lines = textTable(fakeContext(fakeTerminal(true)), columns, rows).split('\n');
    expect(lines).toEqual([
      `job_key  name${' '.repeat(47)}reason`,
      `      3  ${'x'.repeat(48)}…  work_2 failed with`,
      `${' '.repeat(60)}return code 3:`,
      `${' '.repeat(60)}torc jobs reset-status 3 --x`,
      `     15  b${' '.repeat(50)}none`,
      '',
    ]);
    expect(textTable(fakeContext(fakeTerminal()), columns, rows).split('\n')[1]).toBe(
      `3        ${rows[0]?.name}  ${rows[0]?.reason}`,
    );
    expect(wrapped('a bb  ccc dddddd e', 4)).toEqual(['a bb', ' ccc', 'dddddd', 'e']);
  });

  it('name fields on a terminal as tables do, and leave out those without a value', () => {
    const fields: [string, unknown][] = [
      ['timeout_seconds', 3600],
      ['project', null],
      ['num_done', 0],
    ];
    expect(fieldLines(fakeContext(fakeTerminal(true)), fields)).toBe('timeout: 1h 00m\ndone:    0\n');
    expect(fieldLines(fakeContext(fakeTerminal()), fields)).toBe(
      'timeout_seconds: 3600\nproject:         -\nnum_done:        0\n',
    );
  });

  it('colours only on a terminal that supports it', async () => {
    const seen = async (env: Record<string, string>, isTerminal: boolean) => {
      const terminal = fakeTerminal(isTerminal);
      const records = [{ job_key: '1', status: 'done', name: 'done' }];
      await printList(fakeContext(terminal, {}, env), 'jobs', pagesOf(records));
      return terminal.stdout.join('');
    };
    expect(await seen({}, true)).toContain('\x1b[32mdone');
    expect(await seen({}, true)).toMatch(/\ndone {8}1 {2}/);
    expect(await seen({ NO_COLOR: '1' }, true)).not.toContain('\x1b');
    expect(await seen({ TERM: 'dumb' }, true)).not.toContain('\x1b');
    expect(await seen({}, false)).not.toContain('\x1b');
  });
});

describe('a list on a terminal', () => {
  const now = Date.parse('2026-11-29T12:00:00Z');
  async function shownOn(columns: number, records: ListRecord[], more: Partial<ShownColumns> = {}, isTerminal = true) {
    const terminal = { ...fakeTerminal(isTerminal), columns: () => columns };
    const context = { ...fakeContext(terminal, {}, { NO_COLOR: '1' }), clock: { ...fakeClock(), now: () => now } };
    await printList(context, 'workflows', pagesOf(records), { chosen: null, excluded: [], ...more });
    return { stdout: terminal.stdout.join(''), stderr: terminal.stderr.join('') };
  }
  const workflow = (key: number, name: string): ListRecord => ({
    ...{ workflow_key: String(key), name, status: 'running', run_id: 1, num_jobs: 1234, num_done: 7, num_failed: 0 },
    ...{ num_canceled: 0, num_running: 3, user: 'ada', created_at: '2026-11-29T11:55:00.000Z' },
  });
  const records = [workflow(9, 'a'), workflow(10, `a long name of a workflow ${'x'.repeat(40)}`)];

  it('fits: names first and cut, columns left out from the right, which is said', async () => {
    const { stdout, stderr } = await shownOn(80, records);
    const lines = stdout.trimEnd().split('\n');
    expect(Math.max(...lines.map(displayWidth))).toBeLessThanOrEqual(80);
    expect(lines[0]).toMatch(/^name +workflow_key +status +run_id +jobs +done +failed$/);
    expect(lines[1]).toMatch(/^a {20,}9 {2}running +1 {2}1234 +7 +0$/);
    expect(lines[2]).toMatch(/^a long name of a work.*… +10 /);
    expect(stderr).toBe('not shown: canceled, running, user, created; to see them: -w, or --columns\n');
    const wider = await shownOn(200, records);
    expect(wider).toMatchObject({ stderr: '', stdout: expect.stringMatching(/x{40} .*\d\d:\d\d:\d\d 5m ago\n$/) });
    expect((await shownOn(20, records)).stdout).toMatch(/^name\n/);
  });

  it('-w and --columns show everything; a pipe has whole lines in UTC with names last', async () => {
    const wide = await shownOn(80, records, { isWide: true });
    expect(wide).toMatchObject({ stderr: '', stdout: expect.stringMatching(/x{40} .*ada/) });
    const chosen = await shownOn(20, records, { chosen: ['name', 'jobs', 'created'] });
    expect(chosen).toMatchObject({ stderr: '', stdout: expect.stringMatching(/x{40} +1234 /) });
    const piped = await shownOn(80, records, {}, false);
    expect(piped).toMatchObject({ stderr: '', stdout: expect.stringMatching(/2026-11-29T11:55:00Z {2}a\n/) });
    expect(piped.stdout.split('\n')[0]).toMatch(/^workflow_key +status .* created_at +name$/);
  });

  it('writes instants in local time with their distance', () => {
    const at = (iso: string) => localInstant(iso, now);
    expect(at('2026-11-29T11:59:57Z')).toMatch(/^\d\d:59:57 3s ago$/);
    expect(at('2026-11-29T12:02:00Z')).toMatch(/^\d\d:02:00 in 2m$/);
    expect(at('2026-11-27T06:00:00Z')).toMatch(/^Nov 2[67] \d\d:00 2d ago$/);
    expect(at('2025-11-27T06:00:00Z')).toMatch(/^2025-11-2[67] \d\d:00 367d ago$/);
    const sentence = 'It waits until 2026-11-29T12:02:00.000Z, not for "2026-11-29T12:02:00Z".';
    expect(withLocalInstants(sentence, now)).toMatch(
      /^It waits until \d\d:02:00 \(in 2m\), not for "2026-11-29T12:02:00Z"\.$/,
    );
  });
});

describe('columns', () => {
  it('shows the chosen ones in their order without the excluded ones', async () => {
    const shown = { chosen: ['name', 'job_key', 'status'], excluded: ['status'] };
    expect(await printed('csv', [[job(1, 'a')]], shown)).toBe('name,job_key\na,1\n');
  });

  it('rejects an unknown column and names the existing ones', async () => {
    const wrong = printed('text', [[job(1, 'a')]], { chosen: ['nam'], excluded: [] });
    await expect(wrong).rejects.toMatchObject({ code: 'usage', hint: expect.stringContaining('job_key, name') });
    await expect(printed('csv', [[job(1, 'a')]], { chosen: null, excluded: ['x'] })).rejects.toMatchObject({
      code: 'usage',
    });
  });
});

describe('pages', () => {
  const records = Array.from({ length: 12_000 }, (_, at) => job(at + 1, `job ${at}`));
  const options = { filter: [], excludeColumn: [] };

  async function read(more: { limit?: number; skip?: number }): Promise<{ keys: string[]; sizes: number[] }> {
    const { api, requests } = listServer(records);
    const keys: string[] = [];
    for await (const page of listPages(api, 'jobs', '1', { ...options, ...more })) {
      keys.push(...page.map((record) => String(record.job_key)));
    }
    return { keys, sizes: requests.map((request) => request.limit) };
  }

  it('reads everything without a limit, first a small page', async () => {
    const { keys, sizes } = await read({});
    expect(keys).toHaveLength(12_000);
    expect(new Set(keys).size).toBe(12_000);
    expect(sizes).toEqual([firstPageRows, pageRows, pageRows]);
  });

  it('never asks for more than a server allows', () => {
    expect(pageRows).toBeLessThanOrEqual(limits.listPage);
  });

  it('reads exactly limit rows from skip on', async () => {
    const { keys, sizes } = await read({ limit: 700, skip: 10 });
    expect([keys[0], keys.at(-1), keys.length]).toEqual(['11', '710', 700]);
    expect(sizes).toEqual([500, 200]);
    expect((await read({ skip: 11_999 })).keys).toEqual(['12000']);
    expect((await read({ skip: 20_000 })).keys).toEqual([]);
  });

  it('stops asking when the reader is gone', async () => {
    const { api, requests } = listServer(records);
    const terminal = fakeTerminal();
    terminal.readsAtMost = 1;
    await printList(fakeContext(terminal), 'jobs', listPages(api, 'jobs', '1', options));
    expect(requests.length).toBe(2);
  });
});

describe('results', () => {
  it.each(outputFormats)('prints one value as %s', async (format) => {
    const terminal = fakeTerminal();
    const value = { workflow_key: '7', changes: [{ a: 1 }] };
    await printResult(fakeContext(terminal, { outputFormat: format }), value, () => 'seven\n');
    const expected = {
      text: 'seven\n',
      json: `${JSON.stringify(value)}\n`,
      csv: 'workflow_key,changes\n7,"[{""a"":1}]"\n',
    };
    expect(terminal.stdout.join('')).toBe(expected[format]);
  });
});
