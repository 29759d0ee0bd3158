// How long a person waits for `torc tui`, and how much it sends to the terminal, which may be at the end of a slow line.
import { once } from 'node:events';
import { createMixed } from '../mixed.mjs';
import { row, skipped } from '../report.mjs';
import { createNoops } from '../simulated.mjs';
import { inDirectory, openFresh, progress, repeat, secondsOf, start, torc, until, withServer } from '../support.mjs';
import { runSimulated } from './server.mjs';

const size = { columns: 80, rows: 24 };
const busyJobs = 20_000;

/** The view on a terminal of `script`; `shown` waits until what was sent since the last key matches. */
async function withView(directory, words, work) {
  const command = `stty cols ${size.columns} rows ${size.rows}; exec '${process.execPath}' '${torc}' --dir '${directory}' tui ${words}`;
  const env = { ...process.env, TERM: 'xterm-256color', NO_COLOR: '' };
  const child = start('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'], env });
  const ended = once(child, 'exit');
  let numBytes = 0;
  let sent = '';
  child.stdout.on('data', (bytes) => {
    numBytes += bytes.length;
    sent += bytes.toString('latin1');
  });
  try {
    return await work({
      numBytes: () => numBytes,
      press(keys) {
        sent = '';
        child.stdin.write(keys);
      },
      shown: (pattern) => until(`the view shows ${pattern}`, () => pattern.test(sent)),
    });
  } finally {
    child.stdin.write('q');
    await ended;
  }
}

/** Only the row on the cursor is bold, and only once it is read. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: how bold text begins
const cursor = /\x1b\[1m/;
const filter = (words) => `/${'\x7f'.repeat(30)}${words}\r`;

/** Each step with its keys and what is then on the screen. */
const steps = [
  ['its jobs', '\r', cursor],
  ['the last jobs', 'G', cursor],
  ['one screen up', '\x1b[5~', cursor],
  ['the first jobs, by status', 'o', cursor],
  ['the last of these', 'G', cursor],
  ['those that failed', 'f', cursor],
  ['those with a name', filter('name=job_7777'), cursor],
  ['those with a part in their name', filter('777'), cursor],
];

async function waits(directory, key) {
  const waited = {};
  const first = await secondsOf(() => withView(directory, '', (view) => view.shown(cursor)));
  await withView(directory, key, async (view) => {
    waited['the page of a workflow'] = await secondsOf(() => view.shown(/succeeded/));
    for (const [what, keys, pattern] of steps) {
      waited[what] = await secondsOf(async () => {
        view.press(keys);
        await view.shown(pattern);
      });
    }
  });
  return { 'the list of workflows': first, ...waited };
}

/** Bytes in a second while a workflow runs whose jobs end as fast as the server can store that. */
async function busyBytes(directory) {
  return await withServer(directory, async (server) => {
    const key = await createNoops(server.api, busyJobs);
    return await withView(directory, key, async (view) => {
      await view.shown(/Esc back/);
      const before = view.numBytes();
      const begin = performance.now();
      await runSimulated(server, key);
      return ((view.numBytes() - before) * 1000) / (performance.now() - begin);
    });
  });
}

export async function terminalView({ isFull, runs }) {
  const numJobs = isFull ? 1_000_000 : 10_000;
  try {
    await once(start('script', ['-qec', 'true', '/dev/null']), 'exit');
  } catch {
    return [skipped('torc tui', 'there is no script (util-linux) here')];
  }
  progress(`${numJobs} jobs`);
  const rows = [];
  await inDirectory(async (directory) => {
    const service = await openFresh(directory);
    const key = await createMixed(service, numJobs);
    await service.close();
    await withServer(directory, async () => {
      const all = await repeat(runs, () => waits(directory, key));
      for (const what of Object.keys(all[0])) {
        const samples = all.map((each) => each[what]);
        rows.push(row(`torc tui at ${numJobs} jobs: ${what}`, samples, 's', { budget: { atMost: 1 } }));
      }
    });
  });
  progress('a busy workflow');
  const bytes = await repeat(runs, () => inDirectory(busyBytes));
  rows.push(row('torc tui, the page of a busy workflow', bytes, 'bytes/s'));
  return rows;
}
