/** The specification of a schedule: `${schedule.date}` and the like are replaced in its text, then it is any other. */
import { isoInstant } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { type Json, jsonText } from '../../base/exact-json.ts';
import type { ExpandedWorkflow } from '../expanded.ts';
import { didYouMean, quoted } from '../spec/names.ts';
import type { SpecSyntax } from '../spec/source.ts';
import type { CheckedSpec } from '../spec/spec.ts';
import { expandSpec } from './expand.ts';
import type { PathPlace } from './file-paths.ts';
import { readSpec } from './read.ts';

/** One workflow of a schedule. */
export interface ScheduledRun {
  schedule: string;
  /** Milliseconds UTC. */
  at: number;
  timeZone: string;
  /** From 1. */
  run: number;
  /** What a generator has collected; undefined for a schedule. */
  items?: readonly Json[];
}

export interface ScheduledSpec {
  text: string;
  /** As a person typed it. */
  file: string;
  syntax?: SpecSyntax | undefined;
  place: PathPlace;
}

/** The server expands it between requests. */
const mostJobs = 100_000;

/** The words of a text with the values of this run, and which there are. */
function valuesOf({ schedule, at, timeZone, run }: ScheduledRun): Record<string, string> {
  const date = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' });
  return { name: schedule, time: isoInstant(at), date: date.format(at), run: String(run) };
}

/** As it is written in a specification. */
const written = (word: string): string => `\${schedule.${word}}`;

/** Throws TorcError 'invalid_spec' for a word that there is not. */
export function scheduledText(text: string, run: ScheduledRun): string {
  const values = valuesOf(run);
  return text.replace(/\$\{schedule\.([^{}]*)\}/g, (whole, word: string) => {
    const value = Object.hasOwn(values, word) ? values[word] : undefined;
    if (value !== undefined) return value;
    const known = Object.keys(values);
    throw new TorcError(
      'invalid_spec',
      `${quoted(whole)} is not something that a schedule knows${didYouMean(word, known)}`,
      `It knows ${known.map(written).join(', ')}.`,
    );
  });
}

/** The workflow of a run, with the attributes `schedule` and `schedule_time`. Throws TorcError. */
export function expandScheduled(spec: ScheduledSpec, run: ScheduledRun): ExpandedWorkflow {
  const { file, syntax, place } = spec;
  const text = scheduledText(spec.text, run);
  const { spec: read, where } = readSpec(text, { file, syntax, readText: place.readText });
  const workflow = expandSpec(withItemParameter(read, run), { file, where, place });
  const attributes = { ...workflow.attributes, schedule: run.schedule, schedule_time: isoInstant(run.at) };
  const { items } = run;
  if (items === undefined) return { ...workflow, attributes };
  const userData = workflow.userData.map((each) => (each.name === itemsName ? { ...each, data: items } : each));
  return { ...workflow, attributes, userData };
}

/** What a specification receives the items of a generator in: user data, or a parameter with one value for each. */
const itemsName = 'items';
const itemName = 'item';

function withItemParameter(spec: CheckedSpec, { items }: ScheduledRun): CheckedSpec {
  if (items === undefined || !Object.hasOwn(spec.parameters ?? {}, itemName)) return spec;
  const values = items.map((item) => {
    if (typeof item === 'string' || typeof item === 'number') return item;
    throw new TorcError(
      'usage',
      `the item ${jsonText(item)} is neither a text nor a number, which the parameter item needs`,
    );
  });
  return { ...spec, parameters: { ...spec.parameters, [itemName]: [...new Set(values)] } };
}

/** Whether a specification makes anything of the items of a generator. */
function receivesItems(spec: ScheduledSpec, run: ScheduledRun): boolean {
  const { spec: read } = readSpec(scheduledText(spec.text, run), { ...spec, readText: spec.place.readText });
  const hasData = (read.user_data ?? []).some(({ name }) => name === itemsName);
  return hasData || Object.hasOwn(read.parameters ?? {}, itemName);
}

/** The workflow of the first run of a new schedule; throws TorcError for what could never run by itself. */
export function checkScheduled(spec: ScheduledSpec, run: ScheduledRun): ExpandedWorkflow {
  const { file } = spec;
  const workflow = expandScheduled(spec, run);
  if (workflow.numJobs === 0) throw new TorcError('usage', `${file} has no jobs, so nothing would run`);
  if (workflow.numJobs > mostJobs) {
    const message = `${file} has ${workflow.numJobs} jobs; a workflow of a schedule has at most ${mostJobs}`;
    throw new TorcError('usage', message, 'Let each job do more, or start it yourself with torc submit.');
  }
  if (
    !workflow.actions.some((each) => each.triggerType === 'on_workflow_start' && each.actionType === 'schedule_nodes')
  ) {
    throw new TorcError(
      'usage',
      `${file} has no action that schedules nodes when the workflow starts, so nobody would run its jobs`,
      'Add one: trigger_type: on_workflow_start, action_type: schedule_nodes, and a scheduler, or scheduler_type: local for a worker on the host of the server.',
    );
  }
  if (run.items !== undefined && !receivesItems(spec, run)) {
    throw new TorcError(
      'usage',
      `${file} does not use the items: it has neither the parameter item nor user data named items`,
      'Write parameters: {item: [example]} and use it in a job, or user_data: [{name: items, data: []}].',
    );
  }
  const later = { ...run, at: run.at + 400 * 86_400_000, run: run.run + 1 };
  if (workflow.args !== undefined && expandScheduled(spec, later).args === workflow.args) {
    throw new TorcError(
      'usage',
      `the args of ${file} are the same in every run, so that only the first workflow could be created`,
      `Leave them out, or let them say which run it is: ${['date', 'time', 'run'].map(written).join(', ')}.`,
    );
  }
  return workflow;
}
