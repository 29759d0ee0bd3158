/**
 * All lists: each one's columns, as data. A column that is not here cannot be asked for, so no text of a request ever
 * becomes SQL.
 */
import type { ListName } from '../../api/contract.ts';
import type { ListDefinition } from './columns.ts';
import { actions } from './definitions/actions.ts';
import { allocations } from './definitions/allocations.ts';
import { computeNodes } from './definitions/compute-nodes.ts';
import { events } from './definitions/events.ts';
import { files } from './definitions/files.ts';
import { jobs } from './definitions/jobs.ts';
import { notifications } from './definitions/notifications.ts';
import { resourceRequirements } from './definitions/resource-requirements.ts';
import { results } from './definitions/results.ts';
import { runs } from './definitions/runs.ts';
import { slurmConfigs } from './definitions/slurm-configs.ts';
import { userData } from './definitions/user-data.ts';
import { workflows } from './definitions/workflows.ts';

export const definitions: Readonly<Record<ListName, ListDefinition>> = {
  workflows,
  jobs,
  results,
  runs,
  files,
  compute_nodes: computeNodes,
  slurm_configs: slurmConfigs,
  allocations,
  actions,
  notifications,
  user_data: userData,
  events,
  resource_requirements: resourceRequirements,
};
