/** The Slurm cluster of docker/ as tests see it: commands on its nodes, and waiting for conditions. */
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const clusterCommand = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'docker', 'cluster');

export type Node = 'ctl' | 'c1' | 'c2' | 'c3' | 'c4';
export const workNodes: readonly Node[] = ['c1', 'c2', 'c3', 'c4'];
export const allNodes: readonly Node[] = ['ctl', ...workNodes];

export interface Ran {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** The controller by default. */
  node?: Node;
  /** `hpc` by default. */
  user?: 'hpc' | 'root';
  input?: string;
}

/** Runs a command in a container and tells how it ended. */
export function run(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { node = 'ctl', user = 'hpc', input = '' } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(clusterCommand, ['exec', '-u', user, '--node', node, '--', ...words]);
    const ran: Ran = { exitCode: -1, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      ran.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      ran.stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...ran, exitCode: code ?? -1 }));
    // a command may end without having read it
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/** What a command prints that must end with 0. */
export async function output(words: readonly string[], options: RunOptions = {}): Promise<string> {
  const ran = await run(words, options);
  if (ran.exitCode === 0) return ran.stdout;
  throw new Error(`${words.join(' ')}: exit code ${ran.exitCode}\n${ran.stderr}${ran.stdout}`);
}

/** The container of a node, and the environment in which `docker` reaches it. */
export function container(node: Node): { docker: NodeJS.ProcessEnv; id: string } {
  const info = JSON.parse(spawnSync(clusterCommand, ['info'], { encoding: 'utf8' }).stdout) as {
    docker_host: string | null;
    containers: Record<string, string>;
  };
  const docker = info.docker_host === null ? process.env : { ...process.env, DOCKER_HOST: info.docker_host };
  return { docker, id: info.containers[node] ?? '' };
}

/** Powers a node off or on: `docker kill` and `docker start`, with the engine of the cluster. */
export function power(node: Node, state: 'off' | 'on'): void {
  const { docker, id } = container(node);
  const words = [state === 'off' ? 'kill' : 'start', id];
  const { status, stderr } = spawnSync('docker', words, { env: docker, encoding: 'utf8' });
  if (status !== 0) throw new Error(`docker ${words.join(' ')}: ${stderr}`);
}

/** Waits until Slurm gives jobs to a node that was off. */
export async function nodeBack(node: Node): Promise<void> {
  const state = async (): Promise<boolean> =>
    /idle|mix|alloc/.test(await output(['sinfo', '-h', '-n', node, '-o', '%t']));
  await until(`${node} is back`, state, 150);
}

/** Stops daemons of the controller where they are, or lets them go on; `names` is a regular expression. */
export function signalDaemons(signal: 'STOP' | 'CONT', names: string): void {
  const words = ['exec', '-u', 'root', '--', 'pkill', `-${signal}`, '-x', names];
  spawnSync(clusterCommand, words, { encoding: 'utf8' });
}

/** Whatever a test has stopped is there again for the next one. */
export function repairCluster(): void {
  signalDaemons('CONT', slurmDaemons);
  const { status, stderr } = spawnSync(clusterCommand, ['up'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

export const slurmDaemons = 'slurmctld|slurmdbd';

/** Fails at once when there is no cluster to test with. */
export function requireCluster(): void {
  const { stdout } = spawnSync(clusterCommand, ['info'], { encoding: 'utf8' });
  const info = JSON.parse(stdout || '{}') as { up?: boolean };
  if (info.up !== true) throw new Error('the Slurm cluster is not up: docker/cluster up');
}

/** Most looks start a program in a container, and many tests look at a time. */
const lookEveryMs = 600;

/** Looks again and again until it sees something; says what it waited for when it never does. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false>,
  seconds = 120,
): Promise<T> {
  const giveUpAt = performance.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) return seen;
    if (performance.now() > giveUpAt) throw new Error(`timed out after ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}
