/** `torc import-spec`: reads another system's document, writes a specification, tells what it has not. */
import { extname } from 'node:path';
import { counted, visible } from '../../base/text.ts';
import { pathText } from '../../model/spec/problems.ts';
import { type SpecSyntax, specSyntaxes } from '../../model/spec/source.ts';
import { specText } from '../../model/spec/spec-text.ts';
import { type ForeignWorkflow, type PlacedRemark, readForeign } from '../../model/translate/read-foreign.ts';
import type { ForeignSystem } from '../../model/translate/systems.ts';
import { type Context, note } from '../context/context.ts';
import { readBytes, shownName } from '../documents/given-file.ts';
import { pathPlace } from '../documents/read-spec.ts';
import { printResult } from '../output/output.ts';
import { writeNamedFile } from '../output/written-file.ts';

export interface ImportSpecOptions {
  from: ForeignSystem;
  output?: string;
  format?: SpecSyntax;
}

const systemNames: Readonly<Record<ForeignSystem, string>> = { prominence: 'PROMINENCE', colonies: 'ColonyOS' };

/** Returns 1 when something was left out. */
export async function importSpec(context: Context, path: string, options: ImportSpecOptions): Promise<number> {
  const { from, output } = options;
  const syntax = options.format ?? syntaxOf(output);
  const file = shownName(path);
  const bytes = readBytes(path, `torc import-spec reads a workflow or a single job of ${systemNames[from]}.`);
  const read = readForeign(bytes, { system: from, file, place: pathPlace(context) });
  const text = specText(read.spec, syntax, commentsOf(read, file, systemNames[from]));
  if (output !== undefined) writeNamedFile(output, text);
  for (const remark of read.differences) note(context, `note: ${remarkText(remark, file)}`);
  for (const remark of read.leftOut) note(context, `warning: ${remarkText(remark, file)}`, 'warning');
  const leftOut = read.leftOut.length === 0 ? '' : `, ${counted(read.leftOut.length, 'thing')} left out`;
  if (output !== undefined) note(context, `wrote ${output}: ${counted(read.numJobs, 'job')}${leftOut}`);
  const reply = {
    name: read.spec.name,
    num_jobs: read.numJobs,
    output: output ?? null,
    left_out: read.leftOut.map(shownRemark),
    differences: read.differences.map(shownRemark),
    specification: read.spec,
  };
  await printResult(context, reply, () => (output === undefined ? text : ''));
  return read.leftOut.length === 0 ? 0 : 1;
}

function syntaxOf(output: string | undefined): SpecSyntax {
  const extension = extname(output ?? '')
    .slice(1)
    .toLowerCase();
  return specSyntaxes.find((syntax) => syntax === extension) ?? 'yaml';
}

function commentsOf({ numJobs, leftOut, differences }: ForeignWorkflow, file: string, system: string): string[] {
  const lines = [`From ${system}: ${visible(file)} (${counted(numJobs, 'job')})`];
  if (leftOut.length > 0) lines.push('Left out:', ...leftOut.map((remark) => `  ${remarkText(remark, file)}`));
  if (differences.length > 0) lines.push('Different:', ...differences.map((remark) => `  ${remarkText(remark, file)}`));
  return lines;
}

/** `workflow.json:12:7: jobs[0].policies.placement: .. (3 times)`. */
function remarkText({ path, message, count, line, column }: PlacedRemark, file: string): string {
  const times = count === 1 ? '' : ` (${count} times)`;
  return visible(`${file}:${line}:${column}: ${pathText(path)}: ${message}${times}`);
}

function shownRemark({ path, message, count, line, column }: PlacedRemark) {
  return { path: pathText(path), line, column, count, message };
}
