/** `torc hpc slurm add-config|modify-config`: the settings that sbatch is called with. */
import type { Api, ListRecord, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { parseWalltime } from '../../base/units.ts';
import type { ConfigOptions } from '../commands/hpc-slurm.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { checkedKey, chooseWorkflow } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';

type Changes = Request<'slurm_config_modify'>['changes'];

/** What was typed, as fields; an empty text removes a value. */
export function configChanges(options: ConfigOptions): Changes {
  const changes: Changes = {};
  if (options.name !== undefined) changes.name = options.name;
  if (options.account !== undefined) changes.account = options.account;
  if (options.walltime !== undefined) changes.walltime_seconds = parseWalltime(options.walltime);
  if (options.nodes !== undefined) changes.num_nodes = options.nodes;
  if (options.ntasksPerNode !== undefined) changes.ntasks_per_node = options.ntasksPerNode;
  for (const field of ['partition', 'qos', 'mem', 'tmp', 'gres', 'extra'] as const) {
    const value = options[field];
    if (value !== undefined) changes[field] = value === '' ? null : value;
  }
  return changes;
}

export async function addConfig(context: Context, options: ConfigOptions): Promise<void> {
  const { name = 'default', account, walltime = '04:00:00', qos = 'normal' } = options;
  if (account === undefined || account === '') {
    throw new TorcError('usage', 'a Slurm config needs an account', `${context.torc} hpc slurm add-config -a ACCOUNT`);
  }
  const typed = configChanges(options);
  const fields = {
    name,
    account,
    partition: typed.partition ?? null,
    qos: options.qos === '' ? null : qos,
    walltime_seconds: parseWalltime(walltime),
    num_nodes: options.nodes ?? 1,
    ntasks_per_node: options.ntasksPerNode ?? null,
    mem: typed.mem ?? null,
    tmp: typed.tmp ?? null,
    gres: typed.gres ?? null,
    extra: typed.extra ?? null,
  };
  await checkConfig(fields);
  await withConnection(context, async ({ api }) => {
    const workflowKey = await chooseWorkflow(context, api, null);
    const added = await api.call('slurm_config_add', { workflow_key: workflowKey, ...fields });
    const value = { ...added, workflow_key: workflowKey, ...fields };
    await printResult(
      context,
      value,
      () => `added Slurm config ${added.slurm_config_key} (${cellText(name)}) to workflow ${workflowKey}\n`,
    );
  });
}

/** Refuses now what could not stand in a script later. */
export async function checkConfig(fields: Changes): Promise<void> {
  const { checkedText, extraDirectives } = await import('../../slurm/directives.ts');
  for (const field of ['name', 'account', 'partition', 'qos', 'mem', 'tmp', 'gres', 'extra'] as const) {
    checkedText(field, fields[field] ?? '');
  }
  extraDirectives(fields.extra ?? '');
}

export async function modifyConfig(context: Context, key: string | null, options: ConfigOptions): Promise<void> {
  const changes = configChanges(options);
  if (Object.keys(changes).length === 0) {
    throw new TorcError('usage', 'nothing to change was named', `${context.torc} hpc slurm modify-config --help`);
  }
  await checkConfig(changes);
  await withConnection(context, async ({ api }) => {
    const configKey =
      key === null
        ? String((await chooseConfig(context, api, null)).slurm_config_key)
        : checkedKey(key, 'key of a Slurm config');
    const modified = await api.call('slurm_config_modify', { slurm_config_key: configKey, changes });
    await printResult(context, { ...modified, ...changes }, () => `changed Slurm config ${configKey}\n`);
  });
}

/** The Slurm config with this key, or the only one of the workflow. Throws TorcError 'usage' or 'not_found'. */
export async function chooseConfig(
  context: Context,
  api: Api,
  key: string | null,
  workflowKey: string | null = null,
): Promise<ListRecord> {
  const workflow = workflowKey ?? (await chooseWorkflow(context, api, null));
  const filters = key === null ? [] : [{ column: 'slurm_config_key', value: checkedKey(key, 'key of a Slurm config') }];
  const { records } = await api.call('list', {
    list: 'slurm_configs',
    workflow_key: workflow,
    filters,
    sort_by: null,
    reverse: false,
    limit: 10,
    skip: 0,
  });
  const [first, ...others] = records;
  const inWorkflow = `-k ${workflow} hpc slurm`;
  if (first === undefined && key !== null) {
    throw new TorcError(
      'not_found',
      `workflow ${workflow} has no Slurm config ${key}`,
      `${context.torc} ${inWorkflow} list-configs`,
    );
  }
  if (first === undefined) {
    throw new TorcError(
      'not_found',
      `workflow ${workflow} has no Slurm config`,
      `${context.torc} ${inWorkflow} add-config -a ACCOUNT`,
    );
  }
  if (others.length === 0) return first;
  const names = records.map((record) => `${record.slurm_config_key} (${cellText(record.name)})`).join(', ');
  throw new TorcError('usage', `workflow ${workflow} has several Slurm configs`, `Name one by its key: ${names}`);
}
