/** The command line that starts a program on a node of a running allocation, its standard input and output passed through. */
import type { Environment } from '../base/config.ts';
import { shellWord } from '../base/text.ts';
import { submitVariables, type Variables } from './variables.ts';

export interface RemoteCommand {
  command: string;
  args: string[];
  variables: Variables;
}

/** As a step beside those that run; it needs srun to be reachable from the node, which connects to it. */
export function stepCommand(
  { slurmJobId, node }: { slurmJobId: string; node: string },
  words: readonly string[],
  env: Environment,
): RemoteCommand {
  const args = [
    ...[`--jobid=${slurmJobId}`, `--nodelist=${node}`, '--nodes=1', '--ntasks=1', '--overlap', '--mem=0'],
    ...['--cpu-bind=none', '--job-name=torc-relay', '--quiet', ...words],
  ];
  return { command: 'srun', args, variables: submitVariables(env, '') };
}

/** By ssh, with what the person has set up for it, and without questions. */
export function sshCommand(node: string, words: readonly string[], env: Environment): RemoteCommand {
  const options = ['BatchMode=yes', 'ConnectTimeout=20', 'ServerAliveInterval=20', 'ServerAliveCountMax=3'];
  const args = ['-T', '-a', '-x', ...options.flatMap((option) => ['-o', option]), node, words.map(shellWord).join(' ')];
  return { command: 'ssh', args, variables: submitVariables(env, '') };
}
