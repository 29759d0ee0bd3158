/** Refuses a run whose inputs are missing and are not going to be written. */
import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { MissingInput } from '../../storage/running/input-versions.ts';
import { getWorkflow } from '../../storage/running/workflows.ts';
import { missingUserData, outsideFiles } from '../../storage/runs/start-checks.ts';
import type { ServerContext } from '../context.ts';
import { probeBased } from './file-probe.ts';
import { mostNamed } from './planning.ts';

/** Throws 'not_found' that names the missing inputs and the jobs that need them. */
export function refuseMissing(missing: readonly MissingInput[], directory: string | null): void {
  if (missing.length === 0) return;
  const shown = missing.slice(0, mostNamed).map(({ what, jobName }) => `${what}, needed by ${jobName}`);
  const more = missing.length > mostNamed ? `; and ${missing.length - mostNamed} more` : '';
  const where = directory === null ? '' : ` (relative paths start at ${directory})`;
  throw new TorcError(
    'not_found',
    `missing: ${shown.join('; ')}${more}`,
    `Provide it${where}, or continue without it with --ignore-missing-data.`,
  );
}

const pageFiles = 2000;

/** Checks the inputs of a first run, a page of files at a time. Relative paths need a base directory to be checked. */
export async function checkStart(context: ServerContext, request: Request<'workflow_start'>): Promise<void> {
  const { workflowKey, phase, baseDirectory } = getWorkflow(context.view, Number(request.workflow_key));
  if (request.ignore_missing_data === true || phase !== 'created') return;
  const missing = missingUserData(context.view, workflowKey);
  for (let after: string | null = ''; after !== null; ) {
    const { files, next } = outsideFiles(context.view, workflowKey, after, pageFiles);
    const checked = files.filter(({ path }) => baseDirectory !== null || path.startsWith('/'));
    const facts = await probeBased(context, {
      files: checked,
      directory: baseDirectory ?? '/',
      workflowKey: request.workflow_key,
    });
    for (const { fileKey, name, path, jobName } of checked) {
      if (facts.get(fileKey)?.sizeBytes === -1) missing.push({ what: `input file ${name} (${path})`, jobName });
    }
    after = next;
  }
  refuseMissing(missing, baseDirectory);
}
