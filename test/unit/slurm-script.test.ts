import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TorcError } from '../../src/base/errors.ts';
import { workerNodeOptions } from '../../src/base/program.ts';
import {
  allocationScript,
  fillTemplate,
  formatWalltime,
  type Launch,
  type SlurmConfig,
  slurmOutputDirectory,
} from '../../src/slurm/script.ts';
import { directivesOf } from '../fake-slurm/directives.mjs';

const config: SlurmConfig = {
  account: 'proj42',
  partition: null,
  qos: 'normal',
  walltimeSeconds: 4 * 3600,
  numNodes: 1,
  ntasksPerNode: null,
  mem: null,
  tmp: null,
  gres: null,
  extra: null,
};
const launch: Launch = {
  jobName: 'worker_7_0c1d',
  outputDirectory: '/home/ada/run/torc_output',
  workingDirectory: null,
  nodeBinary: '/opt/node/bin/node',
  torcMain: '/opt/torc/dist/cli/main.js',
  serverDirectory: '/home/ada/.torc',
  workflowKey: '7',
  allocationKey: '12',
  maxParallelJobs: null,
  pollIntervalSeconds: null,
  oneWorkerPerNode: false,
  warningSeconds: 120,
};
const hostile = `it's "a" $HOME \`id\` $(id) #x %x é; rm -rf & | * ? ! ~`;

const scripts = {
  'one-node': allocationScript(config, launch),
  'first-of-two-nodes': allocationScript({ ...config, numNodes: 2 }, launch),
  'every-node': allocationScript(
    { ...config, numNodes: 4, ntasksPerNode: 1, mem: '240G', gres: 'gpu:a100:4', partition: 'gpu', tmp: '100G' },
    {
      ...launch,
      oneWorkerPerNode: true,
      maxParallelJobs: 8,
      pollIntervalSeconds: 30,
      workingDirectory: '/home/ada/run',
    },
  ),
  'odd-names': allocationScript(
    { ...config, account: hostile, partition: 'a,b', extra: `--comment="${'two words'}" --exclusive -C'a&b'` },
    {
      ...launch,
      jobName: `w ${hostile.replaceAll('/', '')}`,
      serverDirectory: `/home/${hostile}`,
      workingDirectory: `/w/${hostile}`,
    },
  ),
};

const scratch = mkdtempSync(join(tmpdir(), 'slurm-script-'));
afterAll(() => rmSync(scratch, { recursive: true }));

describe.each(Object.entries(scripts))('the script %s', (name, script) => {
  it('is the recorded one', async () => {
    await expect(script).toMatchFileSnapshot(`../fixtures/slurm/scripts/${name}.sbatch`);
  });

  it('is valid bash', () => {
    const checked = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' });
    expect(checked).toMatchObject({ status: 0, stderr: '' });
  });

  it('begins with its directives, and has no other line that is a directive', () => {
    const lines = script.split('\n');
    const last = lines.findLastIndex((line) => line.startsWith('#SBATCH'));
    expect(lines[0]).toBe('#!/bin/bash');
    expect(
      lines.slice(1, last + 1).every((line) => line.startsWith('#SBATCH -') || line.startsWith('#SBATCH "-')),
    ).toBe(true);
    expect(lines.slice(last + 1).some((line) => /^\s*#(SBATCH|PBS|BSUB)/.test(line))).toBe(false);
  });
});

/** Runs a script with stand-ins for node, srun and the directories; what the worker saw. */
function runScript(overrides: { config?: Partial<SlurmConfig>; launch?: Partial<Launch> }) {
  const directory = mkdtempSync(join(scratch, 'run '));
  const [working, bin, seen] = [
    join(directory, hostile.replaceAll('/', '')),
    join(directory, 'bin'),
    join(directory, 'seen'),
  ];
  mkdirSync(working);
  mkdirSync(bin);
  const standIn = (path: string, body: string) => {
    writeFileSync(path, `#!/bin/bash\n${body}\n`);
    chmodSync(path, 0o755);
  };
  const node = join(bin, "my node's");
  const report = `printf '%s\\n' "$PWD" "$TORC_DIR" "$TORC_ALLOCATION_START" "$@" > "$SEEN"`;
  standIn(node, `${report}; exit 3`);
  standIn(join(bin, 'srun'), `printf '%s\\n' "$@" > "$SEEN.srun"; while [[ $1 == --* ]]; do shift; done; "$@"`);
  const text = allocationScript(
    { ...config, ...overrides.config },
    { ...launch, nodeBinary: node, workingDirectory: working, serverDirectory: `/dir/${hostile}`, ...overrides.launch },
  );
  const ended = spawnSync('bash', ['--norc', '-c', text], {
    encoding: 'utf8',
    env: { PATH: `${bin}:${process.env.PATH}`, SEEN: seen, SLURM_JOB_NUM_NODES: '4', SLURM_SUBMIT_DIR: directory },
  });
  return { ended, directory, working, seen: readFileSync(seen, 'utf8').split('\n'), srun: `${seen}.srun`, node };
}

describe('a script that runs', () => {
  it('replaces itself with the worker, with every name unchanged', () => {
    const { ended, working, seen } = runScript({ launch: { maxParallelJobs: 4, pollIntervalSeconds: 9 } });
    expect(ended).toMatchObject({ status: 3, stderr: '' });
    const [cwd, serverDirectory, started, ...args] = seen;
    expect(cwd).toBe(working);
    expect(serverDirectory).toBe(`/dir/${hostile}`);
    expect(Math.abs(Number(started) - Date.now() / 1000)).toBeLessThan(3600);
    expect(args).toEqual([
      ...workerNodeOptions,
      launch.torcMain,
      '--dir',
      `/dir/${hostile}`,
      ...['hpc', 'slurm', 'run-jobs', '7', '--allocation', '12', '--output', launch.outputDirectory],
      ...['--walltime', '14400', '--max-parallel-jobs', '4', '--poll-interval', '9', ''],
    ]);
  });

  it('starts in the directory of sbatch unless another one is given', () => {
    const { directory, seen } = runScript({ launch: { workingDirectory: null } });
    expect(seen[0]).toBe(directory);
  });

  it('starts nothing when its directory is missing', () => {
    const text = allocationScript(config, { ...launch, workingDirectory: join(scratch, 'absent'), nodeBinary: 'echo' });
    const ended = spawnSync('bash', ['--norc', '-c', text], { encoding: 'utf8' });
    expect(ended.status).not.toBe(0);
    expect(ended.stdout).toBe('');
    expect(ended.stderr).toContain('absent');
  });

  it('starts one worker per node through srun and ends with its exit code', () => {
    const { ended, srun, node } = runScript({ config: { numNodes: 4 }, launch: { oneWorkerPerNode: true } });
    expect(ended).toMatchObject({ status: 3, stderr: '' });
    const args = readFileSync(srun, 'utf8').split('\n');
    expect(args.slice(0, 3)).toEqual(['--nodes=4', '--ntasks=4', '--ntasks-per-node=1']);
    expect(args).toContain('--kill-on-bad-exit=0');
    expect(args[args.findIndex((word) => !word.startsWith('-'))]).toBe(node);
  });
});

it('tells a worker that is alone in an allocation of several nodes to use all of them', () => {
  const words = (changes: Partial<SlurmConfig>, launched: Partial<Launch> = {}) =>
    allocationScript({ ...config, ...changes }, { ...launch, ...launched }).includes('--all-nodes');
  expect(words({ numNodes: 2 })).toBe(true);
  expect(words({ numNodes: 1 })).toBe(false);
  expect(words({ numNodes: 2 }, { oneWorkerPerNode: true })).toBe(false);
});

describe('directives', () => {
  const options = (changes: Partial<SlurmConfig>, launched: Partial<Launch> = {}) =>
    directivesOf(allocationScript({ ...config, ...changes }, { ...launch, ...launched }));

  it.each([
    ['1.5g', '1536M'],
    ['0.5 GiB', '512M'],
    ['1.5M', '1536K'],
    ['4000', '4000'],
    ['2G', '2G'],
  ])('has the memory %j as Slurm reads it', (mem, written) => {
    expect(directivesOf(allocationScript({ ...config, mem, tmp: mem }, launch))).toMatchObject({
      mem: written,
      tmp: written,
    });
  });

  it('contain the config without null values', () => {
    expect(options({})).toEqual({
      'job-name': 'worker_7_0c1d',
      account: 'proj42',
      qos: 'normal',
      time: '04:00:00',
      nodes: '1',
      output: '/home/ada/.torc/slurm_stdio/%x_%j.out',
      'open-mode': 'append',
      signal: 'B:USR2@120',
    });
    expect(options({ partition: 'p', ntasksPerNode: 8, mem: '4G', tmp: '1G', gres: 'gpu:2' })).toMatchObject({
      partition: 'p',
      'ntasks-per-node': '8',
      mem: '4G',
      tmp: '1G',
      gres: 'gpu:2',
    });
  });

  it('keep odd values whole', () => {
    expect(options({ account: hostile, partition: '\\"', extra: null }, { jobName: "w'1" })).toMatchObject({
      account: hostile,
      partition: '\\"',
      'job-name': "w'1",
    });
  });

  it('signal the worker itself: the batch script when it is one, else the steps', () => {
    expect(options({ numNodes: 2 }).signal).toBe('B:USR2@120');
    expect(options({ numNodes: 1 }, { oneWorkerPerNode: true }).signal).toBe('B:USR2@120');
    expect(options({ numNodes: 2 }, { oneWorkerPerNode: true }).signal).toBe('USR2@120');
  });

  it('warn only when the warning cannot come before the worker ends by itself, and never earlier than Slurm can', () => {
    expect(options({ walltimeSeconds: 1800 }).signal).toBe('B:USR2@120');
    expect(options({ walltimeSeconds: 1799 }).signal).toBeUndefined();
    expect(options({ walltimeSeconds: 60 }).signal).toBeUndefined();
    expect(options({ walltimeSeconds: 10 ** 7 }, { warningSeconds: 10 ** 6 }).signal).toBe('B:USR2@65535');
  });

  it('name a literal directory in the output pattern', () => {
    expect(options({}, { serverDirectory: '/out/50%x/a b' }).output).toBe('/out/50%%x/a b/slurm_stdio/%x_%j.out');
    expect(slurmOutputDirectory('/out')).toBe('/out/slurm_stdio');
  });

  it('put the extra options last, where they win', () => {
    const script = allocationScript({ ...config, qos: 'normal', extra: '--qos=high --no-requeue' }, launch);
    expect(directivesOf(script)).toMatchObject({ qos: 'high', 'no-requeue': '' });
  });
});

describe('refused with a sentence and a hint', () => {
  const failure = (changes: Partial<SlurmConfig>, launched: Partial<Launch> = {}): TorcError => {
    try {
      allocationScript({ ...config, ...changes }, { ...launch, ...launched });
    } catch (error) {
      if (error instanceof TorcError) return error;
      throw error;
    }
    throw new Error('nothing was refused');
  };

  const controls = ['\n', '\r', '\0', '\t', '\u001b[1m', '\u007f', '\u0085', '\u2028', '\ud800'];
  const places: [string, (text: string) => [Partial<SlurmConfig>, Partial<Launch>?]][] = [
    ['account', (text) => [{ account: text }]],
    ['partition', (text) => [{ partition: text }]],
    ['qos', (text) => [{ qos: text }]],
    ['mem', (text) => [{ mem: text }]],
    ['tmp', (text) => [{ tmp: text }]],
    ['gres', (text) => [{ gres: text }]],
    ['extra', (text) => [{ extra: `--comment=${text}` }]],
    ['jobName', (text) => [{}, { jobName: text }]],
    ['outputDirectory', (text) => [{}, { outputDirectory: `/o${text}` }]],
    ['serverDirectory', (text) => [{}, { serverDirectory: `/s${text}` }]],
    ['workingDirectory', (text) => [{}, { workingDirectory: `/w${text}` }]],
    ['nodeBinary', (text) => [{}, { nodeBinary: `/n${text}` }]],
    ['torcMain', (text) => [{}, { torcMain: `/m${text}` }]],
    ['workflowKey', (text) => [{}, { workflowKey: `7${text}` }]],
    ['allocationKey', (text) => [{}, { allocationKey: `7${text}` }]],
  ];

  it.each(places)('control characters in %s', (_, place) => {
    for (const control of controls) {
      const error = failure(...place(`x${control}#SBATCH --uid=0`));
      expect(error).toMatchObject({ code: 'usage' });
      expect(error.hint).not.toBeNull();
      expect(error.message).not.toMatch(/\p{Cc}/u);
    }
  });

  it.each([
    ['constraint=x', 'does not begin'],
    ['--exclusive gpu', 'does not begin'],
    ['-C gpu', 'does not begin'],
    ['--', 'does not begin'],
    ['-', 'does not begin'],
    ['--comment="open', 'unclosed quotation mark'],
    ['--output=/tmp/x', 'is not allowed'],
    ['-o/tmp/x', 'is not allowed'],
    ['-Ho/tmp/x', 'is not allowed'],
    ['--outp=/tmp/x', 'is not allowed'],
    ['--array=1-9', 'is not allowed'],
    ['--arr=1-9', 'is not allowed'],
    ['-a1-9', 'is not allowed'],
    ['--job-name=x', 'is not allowed'],
    ['--wrap=x', 'is not allowed'],
    ['-t5', 'is not allowed'],
    ['"--time"=5', 'is not allowed'],
    ['--nodes=9', 'is not allowed'],
    ['--signal=TERM@9', 'is not allowed'],
  ])('the extra options %j', (extra, words) => {
    expect(failure({ extra })).toMatchObject({ code: 'usage', message: expect.stringContaining(words) });
  });

  it.each(['--nodelist=c1', '--time-min=5', '--wait-all-nodes=1', '--exclusive=user', '-C"a b"', '-H', '-pgpu', '  '])(
    'but not the extra options %j',
    (extra) => {
      expect(() => allocationScript({ ...config, extra }, launch)).not.toThrow();
    },
  );

  it('numbers that are not whole and above 0', () => {
    for (const bad of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(failure({ walltimeSeconds: bad }).code).toBe('usage');
      expect(failure({ numNodes: bad }).code).toBe('usage');
      expect(failure({}, { warningSeconds: bad }).code).toBe('usage');
    }
  });

  it('names that Slurm cannot write to, and values longer than sbatch reads', () => {
    expect(failure({}, { jobName: 'a/b' }).message).toContain('a/b');
    expect(failure({}, { jobName: '' }).code).toBe('usage');
    expect(failure({}, { serverDirectory: '/o\\ut' }).message).toContain('backslash');
    expect(failure({ account: 'é'.repeat(5000) }).message).toContain('longer');
    expect(failure({ extra: `--comment=${'x'.repeat(9000)}` }).message).toContain('longer');
  });
});

describe('formatWalltime', () => {
  it.each([
    [1, '00:00:01'],
    [60, '00:01:00'],
    [86_399, '23:59:59'],
    [86_400, '1-00:00:00'],
    [400 * 86_400 + 3661, '400-01:01:01'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(formatWalltime(seconds)).toBe(text);
  });
});

describe('fillTemplate', () => {
  it('inserts values unchanged, including those that look like patterns or names', () => {
    expect(fillTemplate('a {{x}} {{y}} {{x}}', { x: '$& {{y}}', y: '$1' })).toBe('a $& {{y}} $1 $& {{y}}');
  });

  it.each([
    ['{{x}} {{other}}', 'names {{other}}'],
    ['{{x}} {{}}', 'names {{}}'],
    ['{{x}} {{toString}}', 'names {{toString}}'],
    ['nothing', 'lacks {{x}}'],
  ])('refuses %j', (template, words) => {
    expect(() => fillTemplate(template, { x: '1' })).toThrow(words);
  });
});
