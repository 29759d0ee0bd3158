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

interface Info {
  up: boolean;
  docker_host: string | null;
  containers: Record<string, string>;
}

let known: Info | null = null;

/** Asked once: names of containers and the address of their engine stay, also when one is off for a while. */
function info(): Info {
  if (known !== null) return known;
  const { stdout } = spawnSync(clusterCommand, ['info'], { encoding: 'utf8' });
  const told = JSON.parse(stdout || '{}') as Partial<Info>;
  if (told.up !== true) throw new Error('the Slurm cluster is not up: docker/cluster up');
  known = told as Info;
  return known;
}

/** Fails at once when there is no cluster to test with. */
export function requireCluster(): void {
  info();
}

/** The container of a node, and the environment in which `docker` reaches it. */
export function container(node: Node): { docker: NodeJS.ProcessEnv; id: string } {
  const { docker_host: host, containers } = info();
  const docker = host === null ? process.env : { ...process.env, DOCKER_HOST: host };
  return { docker, id: containers[node] ?? '' };
}

/** As `docker/cluster exec` does it, which first looks for the engine: too much for what is done so often. */
function execWords(id: string, user: string, words: readonly string[]): string[] {
  return ['exec', '-i', '-u', user, '-w', '/shared', '-e', `USER=${user}`, '-e', `LOGNAME=${user}`, id, ...words];
}

/** Runs a command in a container and tells how it ended. */
export function run(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { node = 'ctl', user = 'hpc', input = '' } = options;
  const { docker, id } = container(node);
  return new Promise((resolve, reject) => {
    const child = spawn('docker', execWords(id, user, words), { env: docker });
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
  return textOf(words, await run(words, options));
}

function textOf(words: readonly string[], ran: Ran): string {
  if (ran.exitCode === 0) return ran.stdout;
  throw new Error(`${words.join(' ')}: exit code ${ran.exitCode}\n${ran.stderr}${ran.stdout}`);
}

/**
 * What a command of Slurm prints that must end with 0; only for what may be said twice: it is said again where Slurm's
 * daemons were too busy to answer in their own time limits.
 */
export async function slurm(words: readonly string[], options: RunOptions = {}): Promise<string> {
  const isBusy = /timed out|unable to contact|connect failure|zero bytes/i;
  const ran = await until(`an answer to ${words.join(' ')}`, async () => {
    const last = await run(words, options);
    return (last.exitCode === 0 || !isBusy.test(last.stderr)) && last;
  });
  return textOf(words, ran);
}

/** Powers a node off or on: `docker kill` and `docker start`, with the engine of the cluster. */
export function power(node: Node, state: 'off' | 'on'): void {
  const { docker, id } = container(node);
  must('docker', [state === 'off' ? 'kill' : 'start', id], docker);
}

/** Runs a program of this machine that must end with 0. */
function must(program: string, words: readonly string[], env: NodeJS.ProcessEnv): void {
  const { status, stdout, stderr } = spawnSync(program, words, { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr}${stdout}`);
}

/** Waits until Slurm gives jobs to a node that was off. */
export async function nodeBack(node: Node): Promise<void> {
  const state = async (): Promise<boolean> =>
    /^(idle|mix|alloc)$/.test((await slurm(['sinfo', '-h', '-p', 'main', '-n', node, '-o', '%t'])).trim());
  await until(`${node} is back`, state);
}

/** Stops daemons of the controller where they are, or lets them go on; `names` is a regular expression. */
export function signalDaemons(signal: 'STOP' | 'CONT', names: string): void {
  const { docker, id } = container('ctl');
  const { status } = spawnSync('docker', execWords(id, 'root', ['pkill', `-${signal}`, '-x', names]), { env: docker });
  if (status !== 0 && signal === 'STOP') throw new Error(`no daemon to stop: ${names}`);
}

/** Whatever a test has stopped is there again for the next one. */
export function repairCluster(): void {
  signalDaemons('CONT', slurmDaemons);
  must(clusterCommand, ['up'], process.env);
}

export const slurmDaemons = 'slurmctld|slurmdbd';

/** Most looks start a program in a container, and many tests look at a time. */
const lookEveryMs = 600;

/** Far beyond what anything takes, also on a small machine that is busy with other work: only what hangs shall fail by it. */
const patienceSeconds = 540;

/** Looks again and again until it sees something; says what it waited for when it never does. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false>,
  seconds = patienceSeconds,
): Promise<T> {
  const giveUpAt = performance.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) return seen;
    if (performance.now() > giveUpAt) throw new Error(`timed out after ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}
