/** What to do about jobs that failed for a cause: a sentence, and the commands that help. */
import { shellWord } from '../../base/text.ts';
import { formatMemory } from '../../base/units.ts';
import type { Context } from '../context/context.ts';

interface FailedJob {
  workflowKey: string;
  jobKey: string;
  cause: string | null;
  memoryBytes: number;
  count: number;
  /** The ends of their outputs could be read. */
  isRead: boolean;
}

export interface Advice {
  text: string;
  commands: string[];
}

export function adviceFor({ torc }: Pick<Context, 'torc'>, job: FailedJob): Advice {
  const { workflowKey, jobKey, cause, memoryBytes, count } = job;
  const again = `${torc} rerun-failed ${workflowKey}`;
  const filter = shellWord(`cause=${cause}`);
  const keys =
    count === 1 ? jobKey : `$(${torc} -F json jobs list -k ${workflowKey} -f ${filter} | jq -r '.jobs[].job_key')`;
  switch (cause) {
    case 'oom':
      return {
        text: 'they used more memory than they asked for: recover them with more, or say how much',
        commands: [
          `${torc} recover ${workflowKey}`,
          `${torc} jobs modify --memory ${formatMemory(memoryBytes * 2)} ${keys}`,
          again,
        ],
      };
    case 'job_timeout':
      return {
        text: 'they ran longer than their runtime: recover them with more, or find out why they are slow',
        commands: [`${torc} recover ${workflowKey}`, `${torc} jobs modify --runtime TIME ${keys}`, again],
      };
    case 'walltime':
    case 'preempted':
    case 'node_failure':
    case 'worker_lost':
      return { text: 'their allocation or node ended, not the jobs themselves: run them again', commands: [again] };
    case 'missing_output':
      return {
        text: 'they exited with 0 without a file that they declare as output: correct the command or the path',
        commands: [`${torc} jobs show ${jobKey}`, again],
      };
    case 'missing_input':
      return {
        text: 'a file that they read did not exist when they started',
        commands: [`${torc} jobs show ${jobKey}`, again],
      };
    case 'spawn_error':
      return {
        text: 'the command could not be started: check that it exists on the node and is executable',
        commands: [`${torc} jobs show ${jobKey}`, again],
      };
    default:
      if (!job.isRead)
        return {
          text: 'see what is known about them, then run them again',
          commands: [`${torc} jobs show ${jobKey}`, again],
        };
      return { text: 'find and fix the cause, then run them again', commands: [`${torc} logs ${jobKey}`, again] };
  }
}
