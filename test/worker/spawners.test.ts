/** The two ways to start a process behave the same. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { numberList } from '../../src/base/number-list.ts';
import { jobStarterPath } from '../../src/base/program.ts';
import { openHelperSpawner } from '../../src/worker/processes/helper-spawner.ts';
import { openNodeSpawner } from '../../src/worker/processes/node-spawner.ts';
import type {
  ProcessEnd,
  QueuedProcess,
  Spawner,
  SpawnListener,
  SpawnRequest,
} from '../../src/worker/processes/spawner.ts';
import { allowedCpus } from '../../src/worker/processes/topology.ts';
import { FakeServer } from './fake-server.ts';
import { startWorker, until } from './run.ts';

type Outcome = { failed: string | null; message: string } | ({ pid: number } & ProcessEnd);

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'torc-spawner-test-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function run(spawner: Spawner, request: Partial<SpawnRequest> & { text: string }): Promise<Outcome> {
  return begin(spawner, request).end;
}

function begin(
  spawner: Spawner,
  request: Partial<SpawnRequest> & { text: string },
): { started: Promise<number>; end: Promise<Outcome> } {
  const directory = folder();
  const stdoutPath = join(directory, 'deep/er/out');
  const own = { variables: {}, place: '', cpus: null, isBound: true };
  const all = { attempt: 1, stdoutPath, stderrPath: join(directory, 'err'), ...own, ...request };
  let tellStart: (pid: number) => void = () => {};
  const started = new Promise<number>((resolve) => {
    tellStart = resolve;
  });
  const end = new Promise<Outcome>((resolve) => {
    let startedAs = 0;
    spawner.spawn(all, {
      started: (pid) => {
        startedAs = pid;
        tellStart(pid);
      },
      placed() {},
      withdrawn() {},
      failed: (failed, message) => resolve({ failed, message }),
      exited: (ended) => resolve({ pid: startedAs, ...ended }),
    });
  });
  return { started, end };
}

const dependencies = {
  clock: systemClock,
  log: silentLog,
  environment: process.env,
  openFiles: null,
  outputDirectory: tmpdir(),
};

const noFallback: Spawner = {
  queue: null,
  spawn() {
    throw new Error('the helper should have been used');
  },
  close() {},
};

describe.each([
  ['node itself', () => openNodeSpawner(100, process.env, null, tmpdir())],
  ['the helper', () => openHelperSpawner({ ...dependencies, fallback: noFallback })],
])('%s', (name, open) => {
  function opened(): Spawner {
    const spawner = open();
    onTestFinished(() => spawner.close());
    return spawner;
  }

  it('reports exit codes and signals', async () => {
    const spawner = opened();
    const outcomes = await Promise.all(
      ['exit 0', 'exit 7', 'kill -TERM $$', 'kill -KILL $$', 'kill -SEGV $$'].map((text) => run(spawner, { text })),
    );
    expect(outcomes.map((end) => ('failed' in end ? end : [end.exitCode, end.signal]))).toEqual([
      [0, null],
      [7, null],
      [null, 15],
      [null, 9],
      [null, 11],
    ]);
  });

  it('passes text, variables and files on unchanged', async () => {
    const spawner = opened();
    const stdoutPath = join(folder(), 'a "b"\n$c', 'ü out');
    const value = `x'"\\ $HOME \n\t é🚀 ${'y'.repeat(100_000)}`;
    const text = 'printf "%s" "$VALUE"; printf "%s" \'é\n"\' >&2; cat';
    const stderrPath = join(folder(), 'err');
    await run(spawner, { text, variables: { VALUE: value }, stdoutPath, stderrPath });
    expect(readFileSync(stdoutPath, 'utf8')).toBe(value);
    expect(readFileSync(stderrPath, 'utf8')).toBe('é\n"');
  });

  it('resets what a shell inherits: signals, session, oom score', async () => {
    const spawner = opened();
    const stdoutPath = join(folder(), 'out');
    // the shell is replaced by grep, which shows what it was given
    await run(spawner, { text: `exec grep -E '^Sig(Ign|Blk)' /proc/self/status`, stdoutPath });
    expect(readFileSync(stdoutPath, 'utf8')).toBe('SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n');
    const text = `ls /proc/$$/fd | wc -l; read -r _ _ _ _ group session _ < /proc/$$/stat
      echo $(( $$ == group && $$ == session )); cat /proc/$$/oom_score_adj`;
    await run(spawner, { text, stdoutPath });
    const [files, leads, score] = readFileSync(stdoutPath, 'utf8').trim().split('\n');
    // nothing except what this process was started with
    expect(Number(files)).toBeLessThanOrEqual(8);
    expect([leads, score]).toEqual(['1', '500']);
    expect(readFileSync('/proc/self/oom_score_adj', 'utf8')).toBe('0\n');
  });

  it('runs every command as bash would, including those that need no shell', async () => {
    const directory = folder();
    writeFileSync(join(directory, 'no-first-line'), 'words=(a b); echo $0-$#-$words', { mode: 0o755 });
    writeFileSync(join(directory, 'plain.sh'), '#!/bin/sh\necho "$@"; exit 4', { mode: 0o755 });
    writeFileSync(join(directory, 'not-executable'), 'true', { mode: 0o644 });
    mkdirSync(join(directory, 'a-folder'));
    const variables = { PATH: `${directory}:${process.env.PATH}`, 'BASH_FUNC_known%%': '() { echo a function; }' };
    const commands = [
      ...[
        'true',
        'false',
        'echo a  b',
        ' echo c',
        'date +%Y',
        'env x=1 printenv x',
        'x=2 printenv x',
        'printf %s- d e',
      ],
      ...[
        'no-such-command 1',
        './no-such-file',
        `${directory}/not-executable`,
        `${directory}/a-folder`,
        'time -p true',
      ],
      ...[
        'no-first-line f',
        'plain.sh -n --x=1 g:h,i@j',
        'known',
        'exit 3',
        'cd /tmp',
        'type true',
        '[ 1 = 1 ]',
        'echo src/*',
        '% 1',
      ],
      ...['echo ~', 'echo é', 'true\nfalse', 'false;true', '', '#', '-x', '--', '.', ':', 'a=b', 'true &'],
    ];
    const spawner = opened();
    for (const text of commands) {
      const [stdoutPath, stderrPath] = [join(directory, 'out'), join(directory, 'err')];
      const end = await run(spawner, { text, variables, stdoutPath, stderrPath });
      const asBash = spawnSync('bash', ['-c', '--', text], { env: { ...process.env, ...variables }, encoding: 'utf8' });
      const got = 'failed' in end ? end : { code: end.exitCode, out: readFileSync(stdoutPath, 'utf8') };
      expect({ text, ...got }).toEqual({ text, code: asBash.status, out: asBash.stdout });
      // `time` measures a different time
      if (!text.startsWith('time'))
        expect({ text, err: readFileSync(stderrPath, 'utf8') }).toEqual({ text, err: asBash.stderr });
    }
  });

  it('finds the program that is first in the PATH of a job when it is asked for', async () => {
    const directory = folder();
    const [first, second] = [join(directory, 'first'), join(directory, 'second')];
    const make = (place: string, name: string): void => {
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, name), `#!/bin/sh\necho ${place}/${name}`, { mode: 0o755 });
    };
    const spawner = opened();
    let number = 0;
    const said = async (text: string, ...path: string[]): Promise<string> => {
      number += 1;
      const stdoutPath = join(directory, `out-${number}`);
      const variables = { PATH: [...path, process.env.PATH].join(':') };
      await run(spawner, { text, variables, stdoutPath });
      return readFileSync(stdoutPath, 'utf8').trim();
    };
    for (const name of ['torc-one', 'torc-two']) make(second, name);
    expect(await said('torc-one', first, second)).toBe(`${second}/torc-one`);
    for (const name of ['torc-one', 'torc-two']) make(first, name);
    expect(await said('torc-one', first, second)).toBe(`${first}/torc-one`);
    // many at once, of two names and two paths
    const asked = Array.from({ length: 40 }, (_, index) => ({
      name: index % 2 === 0 ? 'torc-one' : 'torc-two',
      path: index % 8 < 4 ? [first, second] : [second, first],
    }));
    const found = await Promise.all(asked.map(({ name, path }) => said(name, ...path)));
    expect(found).toEqual(asked.map(({ name, path }) => `${path[0]}/${name}`));
    rmSync(first, { recursive: true });
    expect(await said('torc-one', first, second)).toBe(`${second}/torc-one`);
  });

  it('says why nothing could be started', async () => {
    const spawner = opened();
    const long = await run(spawner, { text: `: ${'x'.repeat(200_000)}` });
    expect(long).toMatchObject({ failed: 'E2BIG' });
    const blocked = await run(spawner, { text: 'true', stderrPath: '/proc/no/such' });
    expect(blocked).toMatchObject({ failed: 'ENOENT' });
    expect('message' in blocked && blocked.message).toContain('/proc/no');
    expect(await run(spawner, { text: 'exit 4' })).toMatchObject({ exitCode: 4 });
  });

  it('reports whether the process group has members left', async () => {
    const spawner = opened();
    const ends = await Promise.all(['true', 'sleep 300 & exit 3'].map((text) => run(spawner, { text })));
    expect(ends).toMatchObject([{ isGroupGone: true }, { exitCode: 3, isGroupGone: false }]);
    for (const end of ends) if ('pid' in end && !end.isGroupGone) process.kill(-end.pid, 'SIGKILL');
  });

  it('accounts for the processor time of a process and its reaped children', async () => {
    const spawner = opened();
    const text = `node -e 'const t = process.cpuUsage(); while (process.cpuUsage(t).user < 300_000);' ; true`;
    const end = await run(spawner, { text });
    expect('cpuMs' in end && end.cpuMs).toBeGreaterThanOrEqual(290);
    expect('cpuMs' in end && end.cpuMs).toBeLessThan(30_000);
  });

  it('says how much memory the largest process had, where the kernel tells', async () => {
    const spawner = opened();
    const text = `node -e 'Buffer.alloc(100 * 2 ** 20, 1)'; kill -KILL $$`;
    const end = await run(spawner, { text });
    const largestBytes = 'largestBytes' in end ? end.largestBytes : undefined;
    if (name !== 'the helper') return expect(largestBytes).toBe(null);
    expect(largestBytes).toBeGreaterThan(100 * 2 ** 20);
    expect(largestBytes).toBeLessThan(400 * 2 ** 20);
  });

  it('starts a hundred at once', async () => {
    const spawner = opened();
    const codes = Array.from({ length: 100 }, (_, index) => index);
    const ends = await Promise.all(codes.map((code) => run(spawner, { text: `exit ${code}` })));
    expect(ends.map((end) => ('exitCode' in end ? end.exitCode : null))).toEqual(codes);
  });
});

describe.each([
  ['node itself', () => openNodeSpawner(100, process.env, null, tmpdir())],
  ['the helper', () => openHelperSpawner({ ...dependencies, fallback: noFallback })],
])('%s, where others may write to the output directory', (_, open) => {
  it.each(['ln -s target out', 'ln target out', 'mkfifo out', 'ln -s missing out'])(
    'gives the job a file of its own in place of what was put there: %s',
    async (plant) => {
      const directory = folder();
      const stdoutPath = join(directory, 'out');
      writeFileSync(join(directory, 'target'), 'precious');
      execFileSync('sh', ['-c', plant], { cwd: directory });
      const spawner = open();
      onTestFinished(() => spawner.close());
      expect(await run(spawner, { text: 'echo told', stdoutPath })).toMatchObject({ exitCode: 0 });
      expect(lstatSync(stdoutPath)).toMatchObject({ nlink: 1 });
      expect(lstatSync(stdoutPath).isFile()).toBe(true);
      expect(readFileSync(stdoutPath, 'utf8')).toBe('told\n');
      expect(readFileSync(join(directory, 'target'), 'utf8')).toBe('precious');
      expect(existsSync(join(directory, 'missing'))).toBe(false);
    },
  );

  it('follows a link of this user to a folder, and makes folders that nobody else can write to', async () => {
    const [directory, other] = [folder(), folder()];
    symlinkSync(other, join(directory, 'moved'));
    const before = process.umask(0);
    onTestFinished(() => void process.umask(before));
    const spawner = open();
    onTestFinished(() => spawner.close());
    await run(spawner, { text: 'echo told', stdoutPath: join(directory, 'moved', 'made', 'out') });
    expect(readFileSync(join(other, 'made', 'out'), 'utf8')).toBe('told\n');
    expect(lstatSync(join(other, 'made')).mode & 0o022).toBe(0);
  });

  it.skipIf(process.getuid?.() !== 0)('starts nothing in a folder or through a link of another user', async () => {
    const directory = folder();
    mkdirSync(join(directory, 'theirs'));
    chownSync(join(directory, 'theirs'), 1234, 1234);
    symlinkSync(folder(), join(directory, 'link'));
    lchownSync(join(directory, 'link'), 1234, 1234);
    const spawner = open();
    onTestFinished(() => spawner.close());
    for (const name of ['theirs', 'link']) {
      const outcome = await run(spawner, { text: 'true', stdoutPath: join(directory, name, 'out') });
      expect(outcome).toHaveProperty('failed', expect.stringMatching(/^(EPERM|conflict)$/));
      expect(existsSync(join(directory, name, 'out'))).toBe(false);
    }
  });
});

it.each([
  ['node itself', () => openNodeSpawner(100, process.env, 64, tmpdir())],
  ['the helper', () => openHelperSpawner({ ...dependencies, openFiles: 64, fallback: noFallback })],
])('%s lets jobs have as many files open as its caller, and raise that', async (_, open) => {
  const spawner = open();
  onTestFinished(() => spawner.close());
  const stdoutPath = join(folder(), 'out');
  // with and without a shell
  await run(spawner, { text: 'ulimit -Sn; ulimit -n 65 && ulimit -Sn', stdoutPath });
  expect(readFileSync(stdoutPath, 'utf8')).toBe('64\n65\n');
  await run(spawner, { text: 'cat /proc/self/limits', stdoutPath });
  expect(readFileSync(stdoutPath, 'utf8')).toMatch(/^Max open files +64 /m);
});

describe('the helper', () => {
  function opened(file?: string, fallback = noFallback): Spawner {
    const options = { ...dependencies, fallback };
    const spawner = openHelperSpawner(file === undefined ? options : { ...options, file });
    onTestFinished(() => spawner.close());
    return spawner;
  }

  it('distinguishes a real-time signal from a success', async () => {
    expect(await run(opened(), { text: 'kill -40 $$' })).toMatchObject({ exitCode: null, signal: 40 });
  });

  it('starts other jobs while the program of one job does not open', async (context) => {
    const directory = folder();
    writeFileSync(join(directory, 'held'), '#!/bin/sh\necho late\n', { mode: 0o755 });
    // with a lease, what opens the file waits until this script ends
    const lease = `
      $| = 1; $SIG{IO} = 'IGNORE';
      open(my $file, '+<', $ARGV[0]) or exit 1;
      fcntl($file, 1024, 1) or exit 1;
      print "held\\n"; sleep 600;`;
    const holder = spawn('perl', ['-e', lease, join(directory, 'held')], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void holder.kill('SIGKILL'));
    const isHeld = await new Promise<boolean>((resolve) => {
      holder.stdout.once('data', () => resolve(true));
      holder.once('error', () => resolve(false)).once('exit', () => resolve(false));
    });
    if (!isHeld) context.skip('this file system gives no leases, or perl is missing');
    const spawner = opened();
    let hasEnded = false;
    const held = run(spawner, { text: join(directory, 'held') }).finally(() => {
      hasEnded = true;
    });
    for (let round = 0; round < 8; round += 1) {
      expect(await run(spawner, { text: 'true' })).toMatchObject({ exitCode: 0 });
    }
    expect(hasEnded).toBe(false);
    holder.kill('SIGKILL');
    expect(await held).toMatchObject({ exitCode: 0 });
  });

  describe('queues a process', () => {
    const place = 'a';

    /** Queues one and notes what happens to it. */
    function queue(spawner: Spawner, text: string, told: string[], name: string): QueuedProcess {
      const own = { attempt: 2, variables: {}, place, cpus: null, isBound: true };
      const request = { text, stdoutPath: '/dev/null', stderrPath: '/dev/null', ...own };
      const listener: SpawnListener = {
        placed: () => told.push(`${name} placed`),
        withdrawn: () => told.push(`${name} withdrawn`),
        started: () => told.push(`${name} started`),
        failed: (code) => told.push(`${name} failed ${code}`),
        exited: ({ exitCode }) => told.push(`${name} exited ${exitCode}`),
      };
      const queued = spawner.queue?.(request, listener);
      if (queued === undefined) throw new Error('the helper queues nothing');
      return queued;
    }

    it('and starts it in the place of one that ends, in order', async () => {
      const spawner = opened();
      const go = join(folder(), 'go');
      const [other, first] = ['b', place].map((name) =>
        begin(spawner, { text: `while [ ! -e '${go}' ]; do sleep 0.01; done`, place: name }),
      );
      await Promise.all([other?.started, first?.started]);
      const told: string[] = [];
      for (const name of ['x', 'y', 'z']) queue(spawner, name === 'x' ? 'exit 3' : 'exit 4', told, name);
      expect(await run(spawner, { text: 'true', place: 'c' })).toMatchObject({ isGroupGone: true, isSucceeded: false });
      expect(told).toEqual([]);
      writeFileSync(go, '');
      expect(await first?.end).toMatchObject({ exitCode: 0, isSucceeded: true });
      expect(await other?.end).toMatchObject({ exitCode: 0, isSucceeded: false });
      await until(() => told.length === 9);
      const events = (name: string, code: number) => [`${name} placed`, `${name} started`, `${name} exited ${code}`];
      const inOrder = [...events('x', 3), ...events('y', 4), ...events('z', 4)];
      expect(told.toSorted()).toEqual(inOrder.toSorted());
      expect(told.filter((text) => text.endsWith('started'))).toEqual(['x started', 'y started', 'z started']);
      // one at a time: the place of the one before is told as taken before that one's end
      expect(told.slice(0, 3)).toEqual(['x placed', 'x started', 'y placed']);
    });

    it('and says when each one began and ended, although it tells of several at a time', async () => {
      const spawner = opened();
      const go = join(folder(), 'go');
      const first = begin(spawner, { text: `while [ ! -e '${go}' ]; do sleep 0.01; done`, place });
      await first.started;
      const request = { text: 'true', stdoutPath: '/dev/null', stderrPath: '/dev/null', variables: {}, cpus: null };
      const numQueued = 40;
      const began: (number | null)[] = [];
      const ended: (number | null)[] = [];
      const toldAt: number[] = [];
      for (let attempt = 2; attempt < numQueued + 2; attempt += 1) {
        const listener: SpawnListener = {
          placed() {},
          withdrawn() {},
          started: (_, atMs) => began.push(atMs),
          failed() {},
          exited: ({ atMs }) => {
            ended.push(atMs);
            toldAt.push(systemClock.monotonic());
          },
        };
        spawner.queue?.({ ...request, attempt, place, isBound: true }, listener);
      }
      // it has read the requests before
      await run(spawner, { text: 'true' });
      writeFileSync(go, '');
      await until(() => ended.length === numQueued);
      const instants = began.flatMap((atMs, index) => [atMs, ended[index] ?? null]);
      expect(instants).toEqual(instants.toSorted((a, b) => Number(a) - Number(b)));
      expect(instants.filter((atMs) => atMs === null)).toEqual([]);
      expect(ended.filter((atMs, index) => Number(atMs) > (toldAt[index] ?? 0))).toEqual([]);
    });

    it('but not while something is left in the group of the one that ended; then it starts when it is told to', async () => {
      const spawner = opened();
      const told: string[] = [];
      const go = join(folder(), 'go');
      const first = begin(spawner, { text: `sleep 300 & while [ ! -e '${go}' ]; do sleep 0.01; done`, place });
      const pid = await first.started;
      onTestFinished(() => void process.kill(-pid, 'SIGKILL'));
      const queued = queue(spawner, 'exit 3', told, 'x');
      // it has read the request before
      await run(spawner, { text: 'true' });
      writeFileSync(go, '');
      expect(await first.end).toMatchObject({ exitCode: 0, isGroupGone: false, isSucceeded: false });
      expect(await run(spawner, { text: 'exit 1' })).toMatchObject({ exitCode: 1 });
      expect(told).toEqual([]);
      queued.start(null);
      queued.withdraw();
      await until(() => told.includes('x exited 3'));
      expect(told).toEqual(['x started', 'x exited 3']);
    });

    it('and gives it the CPUs of the one before, or those that it is told', async () => {
      const spawner = opened();
      const directory = folder();
      const go = join(directory, 'go');
      const text = `while [ ! -e '${go}' ]; do sleep 0.01; done`;
      const first = begin(spawner, { text, place, cpus: '0', isBound: false });
      await first.started;
      const told: string[] = [];
      const show = (name: string) => `echo "$TORC_CPUS" >>'${directory}/${name}'; nproc >>'${directory}/${name}'`;
      for (const name of ['x', 'y']) queue(spawner, show(name), told, name);
      // it has read the requests before
      await run(spawner, { text: 'true' });
      writeFileSync(go, '');
      await until(() => told.includes('x exited 0') && told.includes('y exited 0'));
      queue(spawner, show('z'), told, 'z').start('0-1');
      await until(() => told.includes('z exited 0'));
      const numCpus = Math.min(2, (allowedCpus() ?? []).length);
      const shown = ['x', 'y', 'z'].map((name) => readFileSync(join(directory, name), 'utf8'));
      expect(shown).toEqual(['0\n1\n', '0\n1\n', `0-1\n${numCpus}\n`]);
    });

    it('and takes it back', async () => {
      const spawner = opened();
      const told: string[] = [];
      const first = begin(spawner, { text: 'sleep 300', place });
      const pid = await first.started;
      queue(spawner, 'exit 3', told, 'x').withdraw();
      await until(() => told.length > 0);
      process.kill(pid, 'SIGKILL');
      expect(await first.end).toMatchObject({ signal: 9, isSucceeded: false });
      expect(told).toEqual(['x withdrawn']);
    });

    it('and does not say that it will not start when the helper is killed, which may have started it', async () => {
      const spawner = opened();
      const told: string[] = [];
      const parent = join(folder(), 'parent');
      const first = begin(spawner, { text: 'echo $PPID; exec sleep 300', place, stdoutPath: parent });
      const pid = await first.started;
      onTestFinished(() => void process.kill(pid, 'SIGKILL'));
      queue(spawner, 'exit 3', told, 'x');
      await until(() => readFileSync(parent, 'utf8').endsWith('\n'));
      process.kill(Number(readFileSync(parent, 'utf8')), 'SIGKILL');
      expect(await first.end).toMatchObject({ exitCode: null, signal: null });
      expect(told).toEqual(['x exited null']);
      expect(spawner.queue).toBeNull();
    });

    it('and never starts it without the worker', async () => {
      const spawner = opened();
      const directory = folder();
      const [parent, ran] = [join(directory, 'parent'), join(directory, 'ran')];
      const first = begin(spawner, { text: 'echo $PPID; exec sleep 300', place, stdoutPath: parent });
      const pid = await first.started;
      await until(() => readFileSync(parent, 'utf8').endsWith('\n'));
      queue(spawner, `touch '${ran}'`, [], 'x');
      // it has read the request before
      await run(spawner, { text: 'true' });
      spawner.close();
      await until(() => !existsSync(`/proc/${Number(readFileSync(parent, 'utf8'))}`));
      process.kill(pid, 'SIGKILL');
      await until(() => !existsSync(`/proc/${pid}`));
      expect(existsSync(ran)).toBe(false);
    });
  });

  it('measures how long a process ran', async () => {
    const ended = await run(opened(), { text: 'sleep 0.3' });
    expect('failed' in ended ? 0 : ended.ranMs).toBeGreaterThanOrEqual(300);
  });

  it('keeps no descriptors for running jobs, and says when it has none', async () => {
    const directory = folder();
    const limited = (numFiles: number): Spawner => {
      const file = join(directory, `limited-${numFiles}`);
      writeFileSync(file, `#!/bin/sh\nulimit -n ${numFiles}\nexec '${jobStarterPath()}' "$@"\n`, { mode: 0o755 });
      return opened(file);
    };
    const few = limited(16);
    const ends: Promise<Outcome>[] = [];
    for (let index = 0; index < 20; index += 1) {
      const { started, end } = begin(few, { text: 'exec sleep 1000' });
      ends.push(end);
      process.kill(await started, 0);
    }
    expect(
      await run(few, { text: 'kill $(cat /proc/$PPID/task/*/children | tr " " "\n" | grep -vx $$)' }),
    ).toMatchObject({ exitCode: 0 });
    for (const end of await Promise.all(ends)) expect(end).toMatchObject({ signal: 15 });
    expect(await run(limited(7), { text: 'true' })).toMatchObject({ failed: 'EMFILE' });
  });

  it('is replaced when it is missing or does not work', async () => {
    for (const file of ['/no/such/file', '/bin/false']) {
      const spawner = opened(file, openNodeSpawner(100, process.env, null, tmpdir()));
      expect(await run(spawner, { text: 'exit 5' })).toMatchObject({ exitCode: 5 });
      expect(await run(spawner, { text: 'exit 6' })).toMatchObject({ exitCode: 6 });
    }
  });

  it('leaves nothing running when it is killed, and the worker continues without it', async () => {
    const server = new FakeServer();
    server.completes = false;
    const worker = startWorker(server);
    server.add({ command: 'echo $PPID; sleep 300' });
    await until(() => server.attempts.get(1)?.started != null && worker.stdout(1).endsWith('\n'));
    process.kill(Number(worker.stdout(1)), 'SIGKILL');
    await until(() => server.attempts.get(1)?.finished != null);
    expect(server.attempts.get(1)?.finished).toMatchObject({
      status: 'terminated',
      return_code: null,
      cause: 'worker_lost',
    });
    expect(worker.processes()).toEqual([]);
    server.add({ command: 'touch "$TORC_OUTPUT_DIR/ran"; exit 9' });
    await until(() => server.attempts.get(2)?.finished != null);
    expect(server.attempts.get(2)?.finished).toMatchObject({ return_code: 9 });
    expect(existsSync(join(worker.directory, 'output/ran'))).toBe(true);
  });
});

describe.each([
  ['node itself', () => openNodeSpawner(100, process.env, null, tmpdir())],
  ['the helper', () => openHelperSpawner({ ...dependencies, fallback: noFallback })],
] as const)('a bound job, started by %s', (_, open) => {
  it('may use only its CPUs, whether a shell runs it or not', async () => {
    const spawner = open();
    onTestFinished(() => spawner.close());
    const allowed = allowedCpus() ?? [];
    const own = numberList(allowed.slice(-1));
    for (const text of ['grep Cpus_allowed_list /proc/self/status', 'grep Cpus_allowed_list /proc/self/status; :']) {
      const stdoutPath = join(folder(), 'out');
      await run(spawner, { text, stdoutPath, cpus: own });
      expect(readFileSync(stdoutPath, 'utf8')).toBe(`Cpus_allowed_list:\t${own}\n`);
      await run(spawner, { text, stdoutPath });
      expect(readFileSync(stdoutPath, 'utf8')).toBe(`Cpus_allowed_list:\t${numberList(allowed)}\n`);
    }
  });

  it('runs on the CPUs of the worker when its own are not there any more', async () => {
    const spawner = open();
    onTestFinished(() => spawner.close());
    const stdoutPath = join(folder(), 'out');
    expect(await run(spawner, { text: 'nproc', stdoutPath, cpus: '1023' })).toMatchObject({ exitCode: 0 });
  });
});
