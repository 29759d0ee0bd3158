/**
 * A place for one test on the cluster: a directory that every node sees, a server directory in it, and what is asked of
 * torc and Slurm there.
 *
 * TORC_TEST_BIN: a folder as the containers see it, put before their PATH, to test another build than /torc/dist.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { WorkflowShown } from '../../src/api/contract.ts';
import { allNodes, type Node, output, type Ran, type RunOptions, run, slurm, until, workNodes } from './cluster.ts';
import type { AllocationRow, ComputeNodeRow, JobRow, ResultRow, Scheduled } from './rows.ts';

/** Slurm's own record of an allocation; instants in milliseconds. */
export interface SlurmEnd {
  state: string;
  startMs: number;
  endMs: number;
}

/** A directory on the shared file system with a server directory in it; commands of torc run there. */
export class Site {
  /** Where commands run. */
  readonly path: string;
  /** The server directory. */
  readonly directory: string;
  readonly #root: string;

  /** `root` is removed in the end; the other two are inside of it. */
  constructor(root: string, path: string, directory: string) {
    this.#root = root;
    this.path = path;
    this.directory = directory;
  }

  /** Any command, as a person types it here. */
  command(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return run(this.#command(words), options);
  }

  torc(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return this.command(['torc', ...words], options);
  }

  /** What a command of torc prints that must end with 0. */
  async say(words: readonly string[], options: RunOptions = {}): Promise<string> {
    return output(this.#command(['torc', ...words]), options);
  }

  async json<T>(words: readonly string[], options: RunOptions = {}): Promise<T> {
    return JSON.parse(await this.say(['-F', 'json', ...words], options)) as T;
  }

  #command(words: readonly string[]): string[] {
    const bin = process.env.TORC_TEST_BIN;
    const path = bin === undefined ? [] : [`PATH=${bin}:/usr/local/bin:/usr/bin:/bin`];
    return ['env', '-C', this.path, `TORC_DIR=${this.directory}`, 'TORC_SERVER=off', ...path, ...words];
  }

  // ---------------------------------------------------------------- files

  async write(name: string, text: string): Promise<void> {
    await output(['sh', '-c', 'cat > "$1"', 'sh', join(this.path, name)], { input: text });
  }

  async makeFolder(name: string): Promise<void> {
    await output(['mkdir', '-p', '--', join(this.path, name)]);
  }

  read(name: string): Promise<string> {
    return output(['cat', '--', join(this.path, name)]);
  }

  /** Text of each file in a folder, by file name. */
  async files(folder: string): Promise<Map<string, string>> {
    const script = 'cd "$1" && for f in *; do printf "%s\\n" "$f"; base64 -w0 < "$f"; echo; done';
    const lines = (await output(['bash', '-c', script, 'bash', join(this.path, folder)])).split('\n');
    const files = new Map<string, string>();
    for (let at = 0; at + 1 < lines.length; at += 2) {
      files.set(lines[at] ?? '', Buffer.from(lines[at + 1] ?? '', 'base64').toString('utf8'));
    }
    return files;
  }

  // ---------------------------------------------------------------- workflows

  /** With a short lease it asks Slurm soon about a worker that is silent. */
  startServer(node: Node = 'ctl', leaseSeconds?: number): Promise<{ pid: number; hostname: string }> {
    const lease = leaseSeconds === undefined ? [] : ['--lease-seconds', String(leaseSeconds)];
    return this.json(['server', 'start', '--daemon', ...lease], { node });
  }

  /** Stores and starts a workflow; returns its key. */
  async start(spec: object): Promise<string> {
    const created = await this.say(['-F', 'json', 'workflows', 'create', '-'], { input: JSON.stringify(spec) });
    const { workflow_key: key } = JSON.parse(created) as { workflow_key: string };
    await this.say(['workflows', 'start', key]);
    return key;
  }

  async addConfig(key: string, ...words: string[]): Promise<string> {
    const { slurm_config_key: configKey } = await this.json<{ slurm_config_key: string }>([
      ...['-k', key, 'hpc', 'slurm', 'add-config', '-a', 'torc', ...words],
    ]);
    return configKey;
  }

  schedule(key: string, ...words: string[]): Promise<Scheduled> {
    return this.json(['-k', key, 'hpc', 'slurm', 'schedule-nodes', ...words]);
  }

  shown(key: string): Promise<WorkflowShown> {
    return this.json(['workflows', 'show', key]);
  }

  /** Waits until nothing of the workflow is ready, blocked or running. */
  async ended(key: string): Promise<WorkflowShown> {
    return until(`workflow ${key} has ended`, async () => {
      const shown = await this.shown(key);
      return ['done', 'failed', 'canceled'].includes(shown.status) && shown;
    });
  }

  async jobs(key: string): Promise<JobRow[]> {
    return (await this.json<{ jobs: JobRow[] }>(['jobs', 'list', '-k', key])).jobs;
  }

  async job(key: string, name: string): Promise<JobRow> {
    const found = (await this.jobs(key)).find((job) => job.name === name);
    if (found === undefined) throw new Error(`workflow ${key} has no job ${name}`);
    return found;
  }

  async results(key: string): Promise<ResultRow[]> {
    return (await this.json<{ results: ResultRow[] }>(['results', 'list', '-k', key])).results;
  }

  async computeNodes(key: string): Promise<ComputeNodeRow[]> {
    return (await this.json<{ compute_nodes: ComputeNodeRow[] }>(['compute-nodes', 'list', '-k', key])).compute_nodes;
  }

  async allocations(key: string): Promise<AllocationRow[]> {
    const { allocations } = await this.json<{ allocations: AllocationRow[] }>([
      ...['-k', key, 'hpc', 'slurm', 'allocations'],
    ]);
    return allocations;
  }

  // ---------------------------------------------------------------- Slurm

  /** Slurm jobs submitted from this directory that wait, run or are ending. */
  async queue(): Promise<string[]> {
    const lines = (await slurm(['squeue', '-h', '--me', '-o', '%i|%Z'])).split('\n').filter((line) => line !== '');
    return lines.flatMap((line) => (line.slice(line.indexOf('|') + 1) === this.path ? [line.split('|')[0] ?? ''] : []));
  }

  async queueEmpty(): Promise<void> {
    await until('no Slurm job is left', async () => (await this.queue()).length === 0);
  }

  /** How Slurm's accounting says that an allocation ended; it lags a little. */
  slurmEnd(slurmJobId: string): Promise<SlurmEnd> {
    return until(`accounting knows how Slurm job ${slurmJobId} ended`, async () => {
      const words = ['env', 'SLURM_TIME_FORMAT=%s', 'sacct', '-n', '-P', '-X', '-j', slurmJobId];
      const line = (await slurm([...words, '-o', 'State,Start,End'])).trim();
      const [state = '', start = '', end = ''] = line.split('|');
      if (!/^\d+$/.test(end) || /^(PENDING|RUNNING)/.test(state)) return null;
      return { state, startMs: Number(start) * 1000, endMs: Number(end) * 1000 };
    });
  }

  /** Processes of the ordinary user on a node that carry this place in their environment: workers and their jobs. */
  async processes(node: Node): Promise<string[]> {
    const script = 'grep -lzsFx -- "$1" /proc/[0-9]*/environ; true';
    const found = await output(['bash', '-c', script, 'bash', `TORC_DIR=${this.directory}`], { node });
    return found.split('\n').filter((line) => line !== '');
  }

  async processesGone(): Promise<void> {
    for (const node of workNodes) {
      await until(`nothing runs on ${node}`, async () => (await this.processes(node)).length === 0);
    }
  }

  /** Stops and removes everything; tells what the programs had to say when the test has failed. */
  async remove(hasFailed: boolean): Promise<void> {
    if (hasFailed) console.error(await this.#lastWords());
    await until('every Slurm job is taken back', async () => {
      const ids = await this.queue();
      if (ids.length > 0) await run(['scancel', ...ids]);
      return ids.length === 0;
    });
    await this.torc(['server', 'stop']);
    const kill = 'grep -lzsFx -- "$1" /proc/[0-9]*/environ | cut -d/ -f3 | xargs -r kill -9';
    for (const node of allNodes) await run(['bash', '-c', kill, 'bash', `TORC_DIR=${this.directory}`], { node });
    // what was killed may have written a file meanwhile
    await until('it is removed', async () => (await run(['rm', '-rf', '--', this.#root])).exitCode === 0);
  }

  /** What all workers have logged so far. */
  async logs(): Promise<string> {
    return (await run(['sh', '-c', 'cat "$1"/torc_output/worker_*.log', 'sh', this.path])).stdout;
  }

  /** What programs and jobs wrote, what torc knows of each job, and what Slurm knows of each step. */
  async #lastWords(): Promise<string> {
    const script =
      'find "$1" -name "*.log" -o -path "*slurm_stdio*" -type f -o -path "*job_stdio*" -type f -size +0 | head -n 60 | while read -r f; do tail -n 15 -v "$f"; done';
    const columns = 'JobID,JobName%20,State%20,ExitCode,Start,End,NodeList';
    const ran = [
      await run(['bash', '-c', script, 'bash', this.path]),
      await this.torc(['jobs', 'list', '-k', 'last']),
      await this.torc(['results', 'list', '-k', 'last']),
      await run(['squeue', '--steps']),
      await run(['sacct', '-D', '-S', 'now-10minutes', '-o', columns]),
    ];
    return [`--- ${this.path}`, ...ran.map(({ stdout, stderr }) => stdout + stderr)].join('\n');
  }
}

interface TestContext {
  task: { result?: { state?: string } | undefined };
  onTestFinished: (work: () => Promise<void>) => void;
}

/** Makes a directory of its own below /shared; `name` goes into it, `server` names the server directory in it. */
export async function makeSite(name: string, server = 'server'): Promise<Site> {
  const root = (await output(['mktemp', '-d', `/shared/torc-test-${randomBytes(3).toString('hex')}-XXXXXX`])).trim();
  const path = join(root, name);
  await output(['mkdir', '-p', '--', path]);
  return new Site(root, path, join(path, server));
}

/** The same for one test, removed when it ends. */
export async function siteFor(context: TestContext, name: string, server?: string): Promise<Site> {
  const site = await makeSite(name, server);
  context.onTestFinished(() => site.remove(context.task.result?.state === 'fail'));
  return site;
}
