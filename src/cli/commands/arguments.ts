/** Arguments that many commands take. */
import type { Command } from 'commander';

/** The description of a workflow as an argument. */
export const keyArgument =
  'workflow: key or name, last for the newest (default: -k, TORC_WORKFLOW_KEY, or the only one)';

/** The description of several workflows as arguments. */
export const keysArgument =
  'workflows: keys, names, ranges such as 3-7, patterns of * and ? (default: -k, TORC_WORKFLOW_KEY, or the only one)';

export const jobArgument = 'job: key or name';

/** Jobs as arguments of a command that changes them. */
export function addJobArguments(command: Command, argument = '<jobs...>'): Command {
  return command
    .argument(argument, "jobs of one workflow: keys, names or patterns of * and ?, such as 'sim_*'")
    .option('-y, --yes', 'do not ask when a pattern chooses the jobs');
}
