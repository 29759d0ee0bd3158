/** `torc hpc slurm generate`: a specification that asks for the allocations of its plan by itself. */
import { existsSync } from 'node:fs';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { type Context, note } from '../context/context.ts';
import { writtenInto } from '../documents/planned-spec.ts';
import { readWorkflow } from '../documents/read-spec.ts';
import { printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';
import { writeNamedFile } from '../output/written-file.ts';
import { noteReplacements } from '../plans/node-plan-notes.ts';
import { configChoices, specParts } from '../plans/node-plan-parts.ts';
import { type NodePlanOptions, planOfWorkflow } from './slurm-plan.ts';

export interface GenerateOptions extends NodePlanOptions {
  account?: string;
  qos?: string;
  output?: string;
}

export async function generateSpec(context: Context, path: string, options: GenerateOptions): Promise<void> {
  refuseKey(path);
  const { workflow } = await readWorkflow(context, path);
  refuseSchedulers(path, workflow);
  const plan = await planOfWorkflow(context, workflow, options);
  if (plan.allocations.length === 0) {
    throw new TorcError('usage', `no job of ${path} fits on this cluster`, `torc hpc slurm plan ${path} says why.`);
  }
  const parts = specParts(plan, configChoices(context, options));
  const text = await writtenInto(path, parts);
  for (const line of plan.notes) note(context, line);
  noteReplacements(context, plan);
  for (const { first_job, text: why } of plan.misfits) note(context, `${cellText(first_job)}: ${why}`, 'warning');
  if (options.output === undefined) {
    await context.terminal.out(text);
    return;
  }
  writeNamedFile(options.output, text);
  const value = { output: options.output, ...plan };
  await printResult(context, value, () => {
    const what = counted(plan.allocations.length, 'Slurm config');
    return `wrote ${cellText(options.output)} with ${what}: ${plan.node_hours} node-hours\n  run it:  torc submit ${cellText(options.output)}\n`;
  });
}

function refuseKey(path: string): void {
  if (!/^[0-9]+$/.test(path) || existsSync(path)) return;
  const hint = `torc hpc slurm plan ${path} shows what workflow ${path} needs; torc hpc slurm add-config -k ${path} gives it a Slurm config.`;
  throw new TorcError('usage', `the plan is written into a specification, and ${path} is no file`, hint);
}

function refuseSchedulers(path: string, { schedulers }: ExpandedWorkflow): void {
  if (schedulers.length === 0) return;
  const hint = `Remove them to plan anew; torc hpc slurm plan ${path} only prints a plan.`;
  throw new TorcError('usage', `${path} has slurm_schedulers already`, hint);
}
