/** `torc hpc slurm add-config|modify-config`: the sbatch settings of a workflow. */
import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { parseWalltime } from '../../base/units.ts';
import { formatWalltime } from '../../slurm/script.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { isKey } from '../input/chosen-jobs.ts';
import { checkConfig, chooseConfig } from '../input/slurm-config.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';

export interface ConfigOptions {
  name?: string;
  account?: string;
  partition?: string;
  qos?: string;
  walltime?: string;
  nodes?: number;
  ntasksPerNode?: number;
  mem?: string;
  tmp?: string;
  gres?: string;
  extra?: string;
  label?: string[];
  alsoUnlabelled?: boolean;
  resource?: Record<string, number>;
}

type Changes = Request<'slurm_config_modify'>['changes'];

/** The options of a new config, and what the person's configuration states where they say nothing. */
export function withSlurmSettings<T extends ConfigOptions>({ settings }: Context, options: T): T {
  const { account, partition, qos, walltime, nodes, mem } = settings;
  const stated = Object.entries({ account, partition, qos, walltime, nodes, mem }).filter(
    ([, value]) => value !== undefined,
  );
  return { ...Object.fromEntries(stated), ...options };
}

/** The options as fields; an empty text removes a value. */
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
  if (options.label !== undefined) changes.labels = options.label;
  if (options.alsoUnlabelled !== undefined) changes.also_unlabelled = options.alsoUnlabelled;
  if (options.resource !== undefined) changes.resources = options.resource;
  return changes;
}

export async function addConfig(context: Context, given: ConfigOptions): Promise<void> {
  const options = withSlurmSettings(context, given);
  const { name = 'default', account, walltime = '04:00:00', qos = 'normal' } = options;
  if (account === undefined || account === '') {
    throw new TorcError(
      'usage',
      'a Slurm config needs an account',
      `${context.torc} hpc slurm add-config -a ACCOUNT, or for all of them: torc config init`,
    );
  }
  if (name === '') throw new TorcError('usage', 'the name of the Slurm config is empty', 'Name it with -N/--name.');
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
    ...(typed.labels === undefined ? {} : { labels: typed.labels }),
    ...(typed.also_unlabelled === undefined ? {} : { also_unlabelled: typed.also_unlabelled }),
    ...(typed.resources === undefined ? {} : { resources: typed.resources }),
  };
  await checkConfig(fields);
  await withConnection(context, async ({ api }) => {
    const workflowKey = await chooseWorkflow(context, api, null);
    const added = await api.call('slurm_config_add', { workflow_key: workflowKey, ...fields });
    const value = { ...added, workflow_key: workflowKey, ...fields };
    await printResult(
      context,
      value,
      () =>
        `added Slurm config ${added.slurm_config_key} (${cellText(name)}, walltime ${formatWalltime(fields.walltime_seconds)}) to workflow ${workflowKey}\n`,
    );
  });
}

export async function modifyConfig(context: Context, key: string | null, options: ConfigOptions): Promise<void> {
  const changes = configChanges(options);
  if (Object.keys(changes).length === 0) {
    throw new TorcError('usage', 'no changes were given', `${context.torc} hpc slurm modify-config --help`);
  }
  await checkConfig(changes);
  await withConnection(context, async ({ api }) => {
    const configKey =
      // a key says which workflow is meant
      key !== null && isKey(key) && context.workflowKey === null
        ? key
        : String((await chooseConfig(context, api, key)).slurm_config_key);
    const modified = await api.call('slurm_config_modify', { slurm_config_key: configKey, changes });
    await printResult(context, { ...modified, ...changes }, () => `changed Slurm config ${configKey}\n`);
  });
}
