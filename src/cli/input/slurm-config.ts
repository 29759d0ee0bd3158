/** Chooses and checks Slurm configs. */
import type { Api, ListRecord, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { Context } from '../context/context.ts';
import { cellText } from '../output/table.ts';
import { findByNameOrKey } from './name-or-key.ts';
import { chooseWorkflow } from './workflow-key.ts';

type Changes = Request<'slurm_config_modify'>['changes'];

/** Throws TorcError 'usage' for values that an sbatch script cannot contain. */
export async function checkConfig(fields: Changes): Promise<void> {
  const { checkedText, extraDirectives } = await import('../../slurm/directives.ts');
  for (const field of ['name', 'account', 'partition', 'qos', 'mem', 'tmp', 'gres', 'extra'] as const) {
    checkedText(field, fields[field] ?? '');
  }
  extraDirectives(fields.extra ?? '');
}

/** The Slurm config with this name or key, or the only one of the workflow. Throws TorcError 'usage' or 'not_found'. */
export async function chooseConfig(
  context: Context,
  api: Api,
  key: string | null,
  workflowKey: string | null = null,
): Promise<ListRecord> {
  const workflow = workflowKey ?? (await chooseWorkflow(context, api, null));
  if (key !== null) return findByNameOrKey(context, api, 'slurm_configs', workflow, key);
  const { records } = await api.call('list', {
    list: 'slurm_configs',
    workflow_key: workflow,
    filters: [],
    sort_by: null,
    reverse: false,
    limit: 10,
    skip: 0,
  });
  const [first, ...others] = records;
  const inWorkflow = `-k ${workflow} hpc slurm`;
  if (first === undefined) {
    throw new TorcError(
      'not_found',
      `workflow ${workflow} has no Slurm config`,
      `${context.torc} ${inWorkflow} add-config -a ACCOUNT`,
    );
  }
  if (others.length === 0) return first;
  const names = records.map((record) => `${record.slurm_config_key} (${cellText(record.name)})`).join(', ');
  throw new TorcError(
    'usage',
    `workflow ${workflow} has more than one Slurm config`,
    `Choose one by its key or name: ${names}`,
  );
}
