/** File names, the spool's format, and what is read from /proc, cgroups and devices. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseSpool, readSpool, type SpooledReport, spoolLine } from '../../src/api/spool.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { jobStdioPaths, workerPaths } from '../../src/base/paths.ts';
import { parseProportionalBytes, parseStat, readStat, systemUnits } from '../../src/base/proc.ts';
import { makeFolders } from '../../src/base/trusted/folders.ts';
import { openSpool } from '../../src/worker/exchange/spool.ts';
import { cgroupCpus, openCgroupMemory } from '../../src/worker/processes/cgroup.ts';
import { believedCpus, bootId, chosenGpus, machineResources } from '../../src/worker/processes/resources.ts';

/** A directory that represents `/`, with these files. */
function tree(files: Record<string, string> = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'torc-tree-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

describe('file names', () => {
  it('of output are in directories of a thousand jobs each', () => {
    const name = (jobKey: string) => jobStdioPaths('/o ut', { jobKey, runId: 2, attemptId: 3 }).stdoutPath;
    expect(name('7')).toBe('/o ut/job_stdio/0000/job_7_run_2_attempt_3.out');
    expect(name('999')).toContain('/0000/');
    expect(name('1000')).toContain('/0001/');
    expect(name('12345')).toContain('/0012/');
    expect(name('9007199254740993')).toContain('/9007199254740/job_9007199254740993_');
    expect(jobStdioPaths('/o', { jobKey: '1', runId: 1, attemptId: 1 }).stderrPath.endsWith('_attempt_1.err')).toBe(
      true,
    );
  });

  it('of a worker are below the server directory', () => {
    expect(workerPaths('/d', 'abc')).toEqual({
      directory: '/d/workers/abc',
      spoolPath: '/d/workers/abc/spool',
      stopPath: '/d/workers/abc/stop',
    });
  });
});

describe('creating directories', () => {
  it('creates missing directories, accepts existing ones, and stops where none can be created', () => {
    const root = tree({ file: '' });
    makeFolders(join(root, 'a/b/c'));
    makeFolders(join(root, 'a/b/c'));
    expect(() => makeFolders(join(root, 'file/x/y'))).toThrow('ENOTDIR');
    expect(() => makeFolders('/proc/no/such')).toThrow('ENOENT');
  });
});

const report: SpooledReport = {
  worker_id: 'w',
  attempt: 5,
  finished: {
    status: 'done',
    return_code: 1,
    cause: 'exit_code',
    exit_code: 1,
    signal: null,
    detail: 'a "quoted"\nline é 🚀',
    exec_ms: 3,
    peak_memory_bytes: null,
    average_memory_bytes: null,
    cpu_ms: 1,
  },
  started_at_ms: 1,
  ended_at_ms: 4,
};

describe('the spool', () => {
  it('returns what was written', () => {
    const back = { ...report, attempt: 6, finished: null, started_at_ms: null };
    expect(parseSpool(spoolLine(report) + spoolLine(back))).toEqual({ reports: [report, back], numDamaged: 0 });
    expect(spoolLine(report).split('\n')).toHaveLength(2);
  });

  it('survives a cut at any byte of its last record', () => {
    const bytes = Buffer.from(spoolLine(report) + spoolLine({ ...report, attempt: 6 }));
    const whole = Buffer.byteLength(spoolLine(report));
    for (let length = whole; length < bytes.length - 1; length += 1) {
      const { reports, numDamaged } = parseSpool(bytes.subarray(0, length).toString('utf8'));
      expect([reports.length, numDamaged]).toEqual([1, length === whole ? 0 : 1]);
    }
  });

  it('skips a damaged record and reads those after it', () => {
    const damaged = spoolLine(report).replace('quoted', 'forged');
    const text = `${damaged}rubbish\n\n${spoolLine(report)}`;
    expect(parseSpool(text)).toEqual({ reports: [report], numDamaged: 2 });
  });

  it('is empty when there is no file, and an error when it cannot be read', () => {
    expect(readSpool(join(tree(), 'none'))).toEqual({ reports: [], numDamaged: 0 });
    expect(() => readSpool(tree())).toThrow('EISDIR');
  });

  it('is appended to, and removed with its directory', async () => {
    const root = tree();
    const path = join(root, 'workers/w/spool');
    const spool = openSpool({ path, clock: systemClock, log: silentLog });
    await Promise.all([spool.append([report]), spool.append([]), spool.append([{ ...report, attempt: 6 }])]);
    expect(readSpool(path).reports.map(({ attempt }) => attempt)).toEqual([5, 6]);
    await spool.remove();
    expect(() => readSpool(dirname(path))).not.toThrow();
  });

  it('goes onto the node when the server directory fails, and into the log when that fails too', async () => {
    const root = tree({ 'in the way': '' });
    const told: object[] = [];
    const log = { ...silentLog, error: (fields: object) => told.push(fields) };
    const path = join(root, 'in the way/w/spool');
    expect(await openSpool({ path, clock: systemClock, log, nodeDirectory: root }).append([report])).toBe(false);
    const { path: nodePath } = told.at(-1) as { path: string };
    expect(nodePath.startsWith(root)).toBe(true);
    expect(readSpool(nodePath).reports).toEqual([report]);
    const nowhere = openSpool({ path, clock: systemClock, log, nodeDirectory: '/proc/none' });
    expect(await nowhere.append([report])).toBe(false);
    expect(told.at(-1)).toMatchObject({ reports: [report] });
    await nowhere.append([report]);
    expect(told.at(-1)).toMatchObject({ reports: [] });
  });

  it('goes into the server directory as soon as that works again, even behind a cut line', async () => {
    const root = tree({ workers: '' });
    const path = join(root, 'workers/w/spool');
    const spool = openSpool({ path, clock: systemClock, log: silentLog, nodeDirectory: root });
    const later = { ...report, attempt: 6 };
    expect(await spool.append([report])).toBe(false);
    expect(await spool.append([report])).toBe(false);
    const [node = ''] = readdirSync(root).filter((name) => name.startsWith('torc-spool-'));
    expect(readSpool(join(root, node, 'spool')).reports).toEqual([report]);
    rmSync(join(root, 'workers'));
    expect(await spool.append([report])).toBe(true);
    expect(readdirSync(root)).toEqual(['workers']);
    // a full disk cuts a write, which is seen as a failure
    rmSync(path);
    mkdirSync(path);
    expect(await spool.append([later])).toBe(false);
    rmSync(path, { recursive: true });
    writeFileSync(path, spoolLine(report) + spoolLine(later).slice(0, 30));
    expect(await spool.append([later])).toBe(true);
    expect(readSpool(path)).toEqual({ reports: [report, later], numDamaged: 1 });
  });
});

describe('reading a process', () => {
  const fields = '7 70 71 0 -1 0 1 0 2 0 11 12 13 14 20 0 1 0 99 4096 321 18446744073709551615';

  it('copes with any name', () => {
    for (const name of ['sh', 'a b', ') S 1 (', 'new\nline', '']) {
      expect(parseStat(`42 (${name}) S ${fields}`)).toEqual({
        pid: 42,
        isAlive: true,
        parent: 7,
        group: 70,
        session: 71,
        ownTicks: 23,
        childTicks: 27,
        startTime: 99,
        residentPages: 321,
      });
    }
  });

  it('recognizes dead and unreadable processes, not those whose first thread has ended', () => {
    expect(parseStat(`42 (sh) Z ${fields}`)?.isAlive).toBe(false);
    expect(parseStat(`42 (sh) Z ${fields.replace(' 20 0 1 0 99', ' 20 0 3 0 99')}`)?.isAlive).toBe(true);
    expect(parseStat('')).toBeNull();
    expect(parseStat('42 (sh) S 1 2')).toBeNull();
    expect(readStat('/proc', 2 ** 30)).toBeNull();
  });

  it('agrees with node about this process', () => {
    const stat = readStat('/proc', process.pid);
    const { pageBytes, ticksPerSecond } = systemUnits();
    expect(stat).toMatchObject({ pid: process.pid, parent: process.ppid, isAlive: true });
    const rss = process.memoryUsage.rss();
    expect(Math.abs((stat?.residentPages ?? 0) * pageBytes - rss)).toBeLessThan(rss / 2);
    expect([100, 250, 1000]).toContain(ticksPerSecond);
    expect(systemUnits('/nowhere')).toEqual({ pageBytes: 4096, ticksPerSecond: 100 });
  });

  it('counts shares of memory, without files where the kernel reports them', () => {
    expect(
      parseProportionalBytes('Rss: 900 kB\nPss:  500 kB\nPss_Anon:   90 kB\nPss_File: 400 kB\nPss_Shmem: 10 kB\n'),
    ).toBe(100 * 1024);
    expect(parseProportionalBytes('Rss: 900 kB\nPss:  500 kB\n')).toBe(500 * 1024);
    expect(parseProportionalBytes('')).toBeNull();
  });
});

describe('the cgroup of this process', () => {
  const unlimited = '9223372036854771712\n';
  const mount1 =
    '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n36 31 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n';
  const job1 = 'sys/fs/cgroup/memory/slurm_c1/uid_1000/job_7';

  it('in version 1: the step’s own counter, the lowest limit on the way up', () => {
    const root = tree({
      'proc/self/cgroup': '4:memory:/slurm_c1/uid_1000/job_7/step_batch/task_0\n1:cpu:/\n0::/\n',
      'proc/self/mountinfo': mount1,
      [`${job1}/step_batch/task_0/memory.oom_control`]: 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n',
      [`${job1}/step_batch/task_0/memory.limit_in_bytes`]: unlimited,
      [`${job1}/step_batch/memory.limit_in_bytes`]: '209715200\n',
      [`${job1}/memory.limit_in_bytes`]: '104857600\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': unlimited,
    });
    const memory = openCgroupMemory(root);
    expect([memory.oomKillCount(), memory.limitBytes()]).toEqual([3, 104857600]);
    writeFileSync(join(root, `${job1}/step_batch/task_0/memory.oom_control`), 'under_oom 0\noom_kill 4\n');
    expect(memory.oomKillCount()).toBe(4);
  });

  it('in version 1, in a container that shows the host’s path', () => {
    const files = {
      [`${job1}/memory.oom_control`]: 'oom_kill 1\n',
      [`${job1}/memory.limit_in_bytes`]: unlimited,
      [`${job1}/memory.stat`]: 'cache 1\nhierarchical_memory_limit 5000\ntotal_rss 2\n',
    };
    const ownPath = '/docker/ab12/slurm_c1/uid_1000/job_7';
    const cgroup = `4:cpu,memory:${ownPath}\n`;
    const bound = '35 31 0:32 /docker/ab12 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n';
    for (const mountinfo of [bound, mount1]) {
      const root = tree({ 'proc/self/cgroup': cgroup, 'proc/self/mountinfo': mountinfo, ...files });
      const memory = openCgroupMemory(root);
      expect([memory.oomKillCount(), memory.limitBytes()]).toEqual([1, 5000]);
    }
  });

  it('in version 2', () => {
    const job = 'sys/fs/cgroup/system.slice/slurm step/job_7';
    const memory = openCgroupMemory(
      tree({
        'proc/self/cgroup': '0::/system.slice/slurm step/job_7/user\n',
        'proc/self/mountinfo': '30 23 0:27 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n',
        [`${job}/user/memory.events`]: 'low 0\nhigh 0\nmax 9\noom 2\noom_kill 2\noom_group_kill 0\n',
        [`${job}/user/memory.max`]: 'max\n',
        [`${job}/memory.max`]: '1000000\n',
      }),
    );
    expect([memory.oomKillCount(), memory.limitBytes()]).toEqual([2, 1000000]);
  });

  it('is unknown where nothing is mounted, or the memory is not counted', () => {
    for (const root of [
      tree(),
      tree({
        'proc/self/cgroup': '0::/\n',
        'proc/self/mountinfo': '30 23 0:27 / /cg rw - cgroup2 none rw\n',
        'cg/x': '',
      }),
    ]) {
      const memory = openCgroupMemory(root);
      expect([memory.oomKillCount(), memory.limitBytes()]).toEqual([null, null]);
    }
  });

  it('limits the CPU time, in both versions: the lowest limit on the way up', () => {
    const first = 'sys/fs/cgroup/cpu';
    const version1 = tree({
      'proc/self/cgroup': '2:cpu,cpuacct:/slurm/job_7/step\n4:memory:/\n0::/\n',
      'proc/self/mountinfo': `${mount1}30 23 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n`,
      [`${first}/slurm/job_7/step/cpu.cfs_quota_us`]: '-1\n',
      [`${first}/slurm/job_7/step/cpu.cfs_period_us`]: '100000\n',
      [`${first}/slurm/job_7/cpu.cfs_quota_us`]: '150000\n',
      [`${first}/slurm/job_7/cpu.cfs_period_us`]: '50000\n',
      [`${first}/cpu.cfs_quota_us`]: '-1\n',
    });
    const version2 = (own: string, above: string) =>
      tree({
        'proc/self/cgroup': '0::/docker/ab\n',
        'proc/self/mountinfo': '30 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
        'sys/fs/cgroup/docker/ab/cpu.max': own,
        'sys/fs/cgroup/docker/cpu.max': above,
      });
    expect(cgroupCpus(version1)).toBe(3);
    expect(cgroupCpus(version2('250000 100000\n', 'max 100000\n'))).toBe(2.5);
    expect(cgroupCpus(version2('max 100000\n', '50000 100000\n'))).toBe(0.5);
    expect(machineResources({}, version2('50000 100000\n', 'max 100000\n')).numCpus).toBe(1);
    expect(cgroupCpus(version2('max 100000\n', 'max 100000\n'))).toBe(null);
    expect(cgroupCpus(tree())).toBe(null);
  });

  it('can be read here', () => {
    const limit = openCgroupMemory().limitBytes();
    expect(limit === null || limit > 2 ** 20).toBe(true);
  });
});

describe('this machine', () => {
  it('has no more CPUs than Slurm can mean', () => {
    expect(believedCpus(4, 2)).toEqual({ numCpus: 4, problem: null });
    expect(believedCpus(99_999_999_999_999, 2)).toMatchObject({
      numCpus: 2,
      problem: expect.stringContaining('has 2'),
    });
  });

  it('has the GPUs that a person asks for where none can be found, else those that were', () => {
    expect(chosenGpus(null, { gpuIds: ['a', 'b'] })).toEqual({ gpuIds: ['a', 'b'], problem: null });
    expect(chosenGpus(1, { gpuIds: ['a', 'b'] })).toEqual({ gpuIds: ['a'], problem: null });
    expect(chosenGpus(3, { gpuIds: ['a'] })).toMatchObject({
      gpuIds: ['a'],
      problem: expect.stringContaining('only 1'),
    });
    expect(chosenGpus(1, { gpuIds: [] }).problem).toMatch(/; jobs get the index 0$/);
    expect(chosenGpus(2, { gpuIds: [] })).toMatchObject({
      gpuIds: ['0', '1'],
      problem: expect.stringContaining('none'),
    });
  });

  it('offers what is there', () => {
    const machine = machineResources({});
    expect(machine).toMatchObject({ hostname: hostname() });
    expect(machine.numCpus).toBeGreaterThanOrEqual(1);
    expect(machine.memoryBytes).toBeGreaterThan(2 ** 27);
    expect(machine.memoryBytes).toBeLessThanOrEqual(totalmem());
    expect(bootId()).toMatch(/^[0-9a-f-]{36}$/);
    expect(bootId(tree())).toBe('');
  });

  it('counts GPUs as CUDA does', () => {
    const listed = (value: string) => machineResources({ CUDA_VISIBLE_DEVICES: value }, tree()).gpuIds;
    expect(listed('0,1')).toEqual(['0', '1']);
    expect(listed('GPU-1a, MIG-2b')).toEqual(['GPU-1a', 'MIG-2b']);
    expect(listed('2,-1,3')).toEqual(['2']);
    for (const none of ['', '-1', 'NoDevFiles']) expect(listed(none)).toEqual([]);
    const root = tree({ 'dev/nvidia0': '', 'dev/nvidia1': '', 'dev/nvidiactl': '', 'dev/nvidia-uvm': '' });
    expect(machineResources({}, root)).toMatchObject({ numGpus: 2, gpuIds: ['0', '1'] });
    expect(machineResources({}, tree())).toMatchObject({ numGpus: 0, gpuIds: [] });
  });
});
