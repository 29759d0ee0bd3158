/** What can be done to a workflow as it is. */
import type { StatusLine } from '../../api/contract.ts';
import { mostOfAutoscaler } from '../../model/decide/autoscaling-maximum.ts';
import {
  autoscaling,
  canceling,
  endingAutoscaling,
  type PlannedAction,
  pausing,
  recovering,
  rerunning,
  restarting,
  scheduling,
  starting,
} from './planned-action.ts';
import type { KeyHelp, Step } from './view.ts';

const usualNodes = 10;
const mostAllocations = 9999;

/** Of its autoscaler; null for a workflow without one, undefined where that is not known. */
type MaxNodes = number | null | undefined;

interface WorkflowAction extends KeyHelp {
  step: Step;
}

/** The most important first. */
function workflowActions(line: StatusLine, maxNodes: MaxNodes): WorkflowAction[] {
  const { workflow_key: key, status, run_id, is_paused, has_ended, num_failed, num_lost } = line;
  const planned = (pressed: string, word: string, action: PlannedAction): WorkflowAction => {
    return { key: pressed, word, help: `torc ${action.typed}`, step: { kind: 'plan', action } };
  };
  const pause = planned('p', is_paused ? 'resume' : 'pause', pausing(key, is_paused));
  const restart = planned('R', 'restart', restarting(key));
  const cancel = planned('c', 'cancel', canceling(key));
  if (status === 'uninitialized')
    return [planned('R', 'start', starting(key)), ...(run_id === 0 ? [pause] : []), cancel];
  const rerun = num_failed + num_lost > 0 ? [planned('r', 'rerun failed', rerunning(key))] : [];
  if (has_ended) {
    const recover = rerun.length > 0 ? [planned('e', 'recover', recovering(key))] : [];
    return [...rerun, ...recover, restart];
  }
  const nodes = { key: 's', word: 'nodes', help: 'torc hpc slurm schedule-nodes', step: askAllocations(key) };
  return [...rerun, pause, nodes, ...autoscaleActions(key, maxNodes), restart, cancel];
}

function autoscaleActions(key: string, maxNodes: MaxNodes): WorkflowAction[] {
  if (maxNodes === undefined) return [];
  const help = `torc workflows autoscale ${key}`;
  if (maxNodes === null) return [{ key: 'a', word: 'autoscale', help, step: askNodes(key, usualNodes) }];
  const end: Step = { kind: 'plan', action: endingAutoscaling(key) };
  return [
    { key: 'm', word: 'scale', help: `${help} --max N`, step: askNodes(key, maxNodes) },
    { key: 'a', word: 'autoscale off', help: `${help} --off`, step: end },
  ];
}

/** None while it is not known how the workflow is. */
export function workflowKeys(line: StatusLine | undefined, maxNodes?: MaxNodes): KeyHelp[] {
  return line === undefined ? [] : workflowActions(line, maxNodes);
}

/** What a key does to a workflow. */
export function workflowStep(line: StatusLine, pressed: string, maxNodes?: MaxNodes): Step | null {
  return workflowActions(line, maxNodes).find(({ key }) => key === pressed)?.step ?? null;
}

function askAllocations(key: string): Step {
  const question = `allocations to submit for workflow ${key}, 1 to ${mostAllocations}: `;
  return askCount(question, 1, mostAllocations, (count) => scheduling(key, count));
}

function askNodes(key: string, usual: number): Step {
  const question = `nodes of workflow ${key} at a time, at most: `;
  return askCount(question, usual, mostOfAutoscaler, (max) => autoscaling(key, max));
}

/** Asks again until the answer is a number from 1 to `most`. */
function askCount(question: string, usual: number, most: number, action: (count: number) => PlannedAction): Step {
  const step: Step = {
    kind: 'ask',
    question,
    initial: String(usual),
    answer(text) {
      const count = /^[1-9][0-9]{0,6}$/.test(text.trim()) ? Number(text) : 0;
      return count >= 1 && count <= most ? { kind: 'plan', action: action(count) } : step;
    },
  };
  return step;
}
