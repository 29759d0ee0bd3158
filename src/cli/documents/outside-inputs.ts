/** Inputs that no job writes, looked at where a workflow is created. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { systemCode, TorcError } from '../../base/errors.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { type Context, note } from '../context/context.ts';

/** A start checks them all. */
const mostLookedAt = 10_000;
const mostNamed = 5;

function isAbsent(path: string): boolean {
  try {
    statSync(path);
    return false;
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '');
  }
}

/** The inputs that are missing, with the first job that needs each; of files only so many are looked at. */
function missingInputs({ files, userData, fromOutside }: ExpandedWorkflow): string[] {
  const missing: string[] = [];
  let left = mostLookedAt;
  for (const { number, reader } of fromOutside.files) {
    const file = files[number];
    if (file === undefined || left-- <= 0) break;
    if (isAbsent(resolve(file.path))) missing.push(`input file ${file.name} (${file.path}), needed by ${reader}`);
  }
  for (const { number, reader } of fromOutside.userData) {
    const datum = userData[number];
    if (datum?.data === null) missing.push(`user data ${datum.name}, needed by ${reader}`);
  }
  return missing;
}

function inShort(missing: readonly string[]): string {
  const more = missing.length > mostNamed ? `; and ${missing.length - mostNamed} more` : '';
  return `missing: ${missing.slice(0, mostNamed).join('; ')}${more}`;
}

/** Warns of missing inputs: they may still come before the workflow starts. */
export function noteMissingInputs(context: Context, workflow: ExpandedWorkflow): void {
  const missing = missingInputs(workflow);
  if (missing.length > 0) note(context, `${inShort(missing)}; a start refuses without it`, 'warning');
}

/** Throws 'not_found' before anything is stored, as the start would after it. */
export function refuseMissingInputs(workflow: ExpandedWorkflow, { ignoreMissingData }: MissingDataOption): void {
  const missing = ignoreMissingData === true ? [] : missingInputs(workflow);
  if (missing.length === 0) return;
  const hint = `Provide it (relative paths start at ${process.cwd()}), or continue without it with --ignore-missing-data.`;
  throw new TorcError('not_found', inShort(missing), hint);
}

export interface MissingDataOption {
  ignoreMissingData?: boolean;
}
