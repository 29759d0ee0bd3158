/**
 * A fake Slurm for one test: its own state directory, the variables that put it on the PATH, and what a test asks of
 * it.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface FakeSettings {
  /** Whether sbatch really runs the script, at once and in the background. */
  run: boolean;
  accounting: boolean;
  /** Whether squeue drops jobs as soon as they end. */
  forgetsEnded: boolean;
  cpusPerNode: number;
  /** Of every partition, as Slurm writes it. */
  maxTime: string;
  killWaitSeconds: number;
  /** What sbatch --test-only says; as an instant. */
  startsAt: string;
}

export interface FakeJob {
  id: string;
  name: string;
  state: string;
  reason: string;
  restarts: number;
  exit: string;
  script: string;
  directives: Record<string, string>;
  environment: Record<string, string>;
  workingDirectory: string;
  startMs: number | null;
  endMs: number | null;
  runnerPid?: number | null;
  scriptPid?: number | null;
}

export interface FakeCall {
  command: string;
  args: string[];
  at: number;
}

export interface Behaviour {
  command: 'sbatch' | 'squeue' | 'sacct' | 'scancel' | 'scontrol' | 'sinfo';
  stdout?: string;
  stderr?: string;
  exitCode?: number;
  delayMs?: number;
  times?: number;
  /** False: the command prints this, then also does its work. */
  instead?: boolean;
}

export class FakeSlurm {
  readonly directory: string;
  /** The caller's environment with the fake commands first on the PATH and without a surrounding allocation. */
  readonly env: Record<string, string>;

  constructor(settings: Partial<FakeSettings> = {}) {
    this.directory = mkdtempSync(join(tmpdir(), 'fake-slurm-'));
    const bin = fileURLToPath(new URL('bin', import.meta.url));
    const own = Object.entries(process.env).filter(([name]) => !/^(SLURM|SBATCH|FAKE_SLURM)/.test(name));
    this.env = {
      ...(Object.fromEntries(own) as Record<string, string>),
      PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
      FAKE_SLURM_DIR: this.directory,
    };
    this.configure(settings);
  }

  configure(settings: Partial<FakeSettings>): void {
    writeFileSync(join(this.directory, 'settings.json'), JSON.stringify(settings));
  }

  /** What a command does in its next calls; `calls()` counts these too. */
  behave(behaviour: Behaviour): void {
    const path = join(this.directory, 'behaviours.json');
    const planned: unknown[] = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : [];
    const defaults = { stdout: '', stderr: '', exitCode: 0, delayMs: 0, times: 1, instead: true };
    writeFileSync(path, JSON.stringify([...planned, { ...defaults, ...behaviour }]));
  }

  calls(command?: string): FakeCall[] {
    const path = join(this.directory, 'calls.jsonl');
    if (!existsSync(path)) return [];
    const lines = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    const calls = lines.map((line) => JSON.parse(line) as FakeCall);
    return command === undefined ? calls : calls.filter((call) => call.command === command);
  }

  jobs(): FakeJob[] {
    const directory = join(this.directory, 'jobs');
    const files = existsSync(directory) ? readdirSync(directory).filter((file) => file.endsWith('.json')) : [];
    const jobs = files.map((file) => JSON.parse(readFileSync(join(directory, file), 'utf8')) as FakeJob);
    return jobs.sort((a, b) => Number(a.id) - Number(b.id));
  }

  job(id: string): FakeJob {
    const job = this.jobs().find((candidate) => candidate.id === id);
    if (job === undefined) throw new Error(`the fake Slurm has no job ${id}`);
    return job;
  }

  /** Rewrites a job that no script is running for, as if Slurm had decided so. */
  setJob(id: string, changes: Partial<FakeJob>): void {
    writeFileSync(join(this.directory, 'jobs', `${id}.json`), JSON.stringify({ ...this.job(id), ...changes }));
  }

  /** What `scontrol requeue` does to a running job. */
  requeue(id: string): void {
    const done = spawnSync('scontrol', ['requeue', id], { env: this.env, encoding: 'utf8' });
    if (done.status !== 0) throw new Error(done.stderr);
  }

  /** Kills a running job's processes at once and records NODE_FAIL, as when a node loses power. */
  failNode(id: string): void {
    this.locked(() => {
      this.killProcesses(this.job(id));
      this.setJob(id, { state: 'NODE_FAIL', exit: '0:0', endMs: Date.now(), runnerPid: null, scriptPid: null });
    });
  }

  /** Kills what still runs and removes the state. */
  remove(): void {
    for (const job of this.jobs()) this.killProcesses(job);
    // a server that still ends may ask once more meanwhile
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 20 });
  }

  /** As `locked` of state.mjs: a process killed meanwhile has not started a change, and leaves no lock behind. */
  private locked(change: () => void): void {
    const lock = join(this.directory, 'lock');
    for (;;) {
      try {
        mkdirSync(lock);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
    try {
      change();
    } finally {
      rmdirSync(lock);
    }
  }

  private killProcesses(job: FakeJob): void {
    if (typeof job.runnerPid !== 'number') return;
    try {
      process.kill(job.runnerPid, 'SIGKILL');
    } catch {
      // it has ended meanwhile
    }
    spawnSync(process.execPath, [fileURLToPath(new URL('processes.mjs', import.meta.url)), this.directory, job.id]);
  }
}
