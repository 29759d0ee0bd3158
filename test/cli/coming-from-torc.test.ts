/**
 * Every command line that the documents of torc 0.12 and torc 1.0 show, typed here: it does what it says, or ends with exit
 * code 2 and a hint that names our command. All in this process, with one server.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { killLeftovers, mainJs, torc } from '../support/torc.ts';

type RunProgram = typeof import('../../src/cli/program.ts').runProgram;

const rows = readFileSync(new URL('../fixtures/torc-words.tsv', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .slice(1)
  .map((line) => line.split('\t')[2] ?? '');

/** Commands of the Python torc before these, which are typed differently here or do not exist. */
const older = [
  'torc config create --force',
  'torc collections join jobs',
  'torc export sqlite copy.db',
  'torc hpc slurm recommend-nodes -c 1',
  'torc jobs list-process-stats',
  'torc jobs list-user-data',
  'torc results delete',
  'torc stats',
  'torc workflows process-auto-tune-resource-requirements-results',
  'torc workflows show-config',
  'torc workflows start -a',
];

/** The first words of rows that may end with an answer. */
const withAnswers = [
  '--password SECRET',
  '--url https://torc.example.com/torc-service/v1',
  '--username USER',
  'access-groups add-user',
  'access-groups add-workflow',
  'access-groups create',
  'access-groups delete',
  'access-groups get',
  'access-groups list',
  'access-groups list-members',
  'access-groups list-user-groups',
  'access-groups list-workflow-groups',
  'access-groups remove-user',
  'access-groups remove-workflow',
  'collections join',
  'completions',
  'completions elvish',
  'completions powershell',
  'config init',
  'exec --dry-run',
  'hpc',
  'hpc detect',
  'hpc generate',
  'hpc list',
  'hpc match',
  'hpc partitions',
  'hpc show',
  'hpc slurm',
  'jobs create',
  'jobs update',
  'logs analyze',
  'plot-resources output/resource_metrics.db',
  'plot-resources output/resource_utilization/resource_metrics_*.db',
  'recover 1',
  'remote add-workers',
  'remote add-workers-from-file',
  'remote collect-logs',
  'remote delete-logs',
  'remote list-workers',
  'remote remove-worker',
  'remote run',
  'remote status',
  'remote stop',
  'resource-requirements update',
  'results delete',
  'run',
  'slurm',
  'slurm generate',
  'slurm parse-logs',
  'slurm regenerate',
  'slurm sacct',
  'slurm schedule-nodes',
  'stats',
  'submit',
  'submit <spec.yaml>',
  'submit workflow.json',
  'submit workflow.yaml',
  'submit-slurm',
  'tui',
  'tui --standalone',
  'user-data',
  'watch --auto-schedule',
  'watch --recover',
  'watch --recovery-hook',
  'watch -r',
  'watch 1',
  'watch <id>',
  'workflows correct-resources',
  'workflows create',
  'workflows create-slurm',
  'workflows execution-plan',
  'workflows import',
  'workflows new',
  'workflows process-auto-tune-resource-requirements-results',
  'workflows start',
];

/** What the documents say around a command line, or what is no command line at all. */
const prose = ['torc watch detects:', 'torc workflows command-name --help', 'torc-dash', 'torc run http://'];

/** Each of these is typed for a workflow of its own that has not started. */
const starting =
  /^torc (?:workflows (?:init|initialize|initialize-jobs|start|submit)( 1| <id>)?|submit(?:-slurm)? (?:1|<id>))$/;
/** A run may end with failed jobs, and a restart may find nothing to do. */
const also: readonly (readonly [RegExp, number])[] = [
  [/^torc (?:workflows )?run\b/, 1],
  [/^torc watch\b/, 1],
  [/^torc workflows reinit/, 7],
  [/^torc recover/, 7],
  // a bundle of that name is there
  [/^torc logs bundle/, 4],
  [/^torc slurm schedule-nodes/, 7],
];

const named: string[] = [];
let slurm: FakeSlurm;
let place: string;
let runProgram: RunProgram;
let env: Record<string, string | undefined>;

beforeAll(async () => {
  slurm = new FakeSlurm();
  place = mkdtempSync(join(tmpdir(), 'torc words '));
  mkdirSync(join(place, 'bin'));
  mkdirSync(join(place, 'bundles'));
  const { TORC_WORKFLOW_KEY: _, TORC_OUTPUT_DIR: _out, ...outer } = process.env;
  env = {
    ...outer,
    ...slurm.env,
    TORC_DIR: join(place, 'server'),
    TORC_WORKFLOW_KEY: '1',
    HOME: place,
    XDG_CONFIG_HOME: join(place, 'config'),
  };
  env.PATH = `${join(place, 'bin')}:${env.PATH}`;
  process.chdir(place);
  ({ runProgram } = (await import(mainJs.replace('main.js', 'program.js'))) as { runProgram: RunProgram });
  const spec = `name: w
jobs:
  - {name: a, command: "true", resource_requirements: r}
  - {name: b, command: "false", resource_requirements: r}
resource_requirements: [{name: r, num_cpus: 1, memory: 100m}]
user_data: [{name: d, data: {key: 1}}]
slurm_schedulers: [{name: default, account: acct, walltime: "01:00:00"}]
`;
  mkdirSync(join(place, 'examples/subgraphs'), { recursive: true });
  for (const name of [
    'workflow',
    'my_workflow',
    'user_data_workflow',
    'spec',
    'examples/subgraphs/subgraphs_workflow',
  ]) {
    writeFileSync(`${name}.yaml`, spec);
  }
  writeFileSync('commands.txt', 'true\n');
  for (const name of ['python', 'work.sh', 'run.sh']) {
    writeFileSync(join(place, 'bin', name), '#!/bin/sh\n');
    chmodSync(join(place, 'bin', name), 0o755);
  }
  await torc(['server', 'start', '--daemon'], { env: env as Record<string, string> });
  await type('torc run workflow.yaml');
  await type('torc workflows export 1 --results -o my_workflow.json');
  for (const name of ['original.json', 'workflow.json']) writeFileSync(name, readFileSync('my_workflow.json'));
});

afterAll(async () => {
  await torc(['server', 'stop'], { env: env as Record<string, string> });
  process.chdir('/');
  killLeftovers(place);
  rmSync(place, { recursive: true, force: true });
  slurm.remove();
});

/** The words as a shell would split them; braces hold together what the documents have no quotes for. */
function split(line: string): string[] {
  const placed = line
    .replace(/ &$/, '')
    .replace(/<id>|<job_id>/g, '1')
    .replace(/<(spec(?:\.yaml)?)>/g, 'spec.yaml')
    .replace(/<host>\.\.\./, 'host1')
    .replace(/'<(cmd|[abc])>'/g, "'true'")
    .replace(/wf1\/|wf<id>\//, '1')
    .replace(/ \(.*$/, '')
    .replace('--<TAB>', '--help')
    .replace(/ \/(?:path\/to|data)\//, ' ./')
    .replace('--metadata {"client":"xyz-corp","contract":"2024-001"}', '--metadata {"client":"xyz-corp"}')
    .replace('bash create_missing_file.sh', "'bash create_missing_file.sh'")
    .replace('My test workflow', "'My test workflow'")
    .replace('--command python process.py', "--command 'python process.py'")
    .replace('Machine learning team', "'Machine learning team'")
    .replace('My Research Cluster', "'My Research Cluster'");
  const words = placed.match(/'[^']*'|\{[^}]*\}\S*|[^\s']+/g) ?? [];
  return words.slice(1).map((word) => word.replace(/^'(.*)'$/, '$1'));
}

interface Typed {
  code: number;
  stdout: string;
  message: string;
  hint: string;
}

async function type(line: string): Promise<Typed> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const terminal = {
    isStdinTerminal: false,
    isStdoutTerminal: false,
    isStderrTerminal: false,
    columns: () => 100,
    isWriting: () => false,
    out: async (text: string | Uint8Array) => stdout.push(Buffer.from(text as string).toString()) > 0,
    err: (text: string) => void stderr.push(text),
  };
  const interrupts = { handle: () => () => {}, exit: () => {} };
  try {
    const code = await runProgram(split(line), { terminal, interrupts, env });
    return { code, stdout: stdout.join(''), message: stderr.join(''), hint: stderr.join('') };
  } catch (error) {
    const { exitCode = 70, message, hint } = error as { exitCode?: number; message: string; hint: string | null };
    return { code: exitCode, stdout: stdout.join(''), message, hint: hint ?? '' };
  }
}

/** What has to be there before a row is typed; returns the row with the key of that. */
async function prepared(row: string): Promise<string> {
  const isCancel = /cancel(?: 1| <id>)?$/.test(row);
  const isDelete = /^torc (?:workflows )?delete(?: 1| <id>)?$/.test(row);
  // these end with the run, and earlier rows may have reset jobs
  const isFollowing = /^torc (?:events monitor|watch)\b/.test(row);
  if (isFollowing && (await type('torc workflows is-complete 1')).code === 1) {
    await type('torc workflows restart 1');
    await type('torc workflows run 1');
  }
  if (!isCancel && !isDelete && !starting.test(row)) return row;
  const { stdout } = await type('torc -F json workflows create workflow.yaml');
  const { workflow_key } = JSON.parse(stdout) as { workflow_key: string };
  if (isCancel) await type(`torc workflows start ${workflow_key}`);
  return `${row.replace(/ (?:1|<id>)$/, '')} ${workflow_key}${isDelete ? ' --force' : ''}`;
}

/** The outcome, or an error that names the row that hangs. */
async function ended(row: string, typed: string): Promise<Typed> {
  let timer: NodeJS.Timeout | undefined;
  const hangs = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${row} does not end`)), 60_000);
  });
  try {
    return await Promise.race([type(typed), hangs]);
  } finally {
    clearTimeout(timer);
  }
}

it('every published command line does what it says, or names ours', async () => {
  const wrong: string[] = [];
  for (const row of new Set([...rows, ...older])) {
    if (prose.some((each) => row.startsWith(each))) continue;
    const { code, message, hint } = await ended(row, await prepared(row));
    const isDone = code === 0 || also.some(([pattern, other]) => pattern.test(row) && code === other);
    const namesOurs = code === 2 && /\btorc |--local/.test(hint);
    if (!isDone && !namesOurs) wrong.push(`${row}: ${code} ${message} (${hint})`);
    if (namesOurs) named.push(row);
  }
  expect(wrong).toEqual([]);
  // what is done today is not given up unnoticed
  const families = new Set(named.map((row) => row.split(' ').slice(1, 3).join(' ')));
  expect([...families].filter((family) => !withAnswers.includes(family))).toEqual([]);
});
