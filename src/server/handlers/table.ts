/** What serves each endpoint except the exchange: one line for each, and a function in the file of its subject. */
import type { EndpointName } from '../../api/contract.ts';
import { assignRequirements } from '../../storage/authoring/declarations.ts';
import { deleteJobs } from '../../storage/authoring/job-deletion.ts';
import { modifyJobs } from '../../storage/authoring/job-modification.ts';
import { importHistory } from '../../storage/authoring/workflow-import.ts';
import { copyWorkflow } from '../plans/copies.ts';
import { prepareDiagnosis } from '../plans/diagnosis.ts';
import { planHold } from '../plans/hold.ts';
import { planJobCancel } from '../plans/job-cancel.ts';
import { checkStart } from '../plans/missing-inputs.ts';
import { prepareDisable, prepareMark, prepareReset } from '../plans/reset-disable.ts';
import { prepareRestart } from '../plans/restart.ts';
import { stopRunning } from '../plans/stop-running.ts';
import { autoscaleWorkflow } from './autoscaling.ts';
import {
  beginCreation,
  createChunk,
  exportWorkflow,
  finishCreation,
  finishHistory,
  outlineWorkflow,
} from './documents.ts';
import { drawWorkflow, showGroup } from './graph.ts';
import {
  addChildrenOf,
  addJobsTo,
  changeJob,
  changeRequirements,
  changeUserData,
  createFile,
  createRequirements,
  createUserData,
  findFailedOutputs,
  findOutputs,
  removeFile,
  removeUserData,
  showDemand,
  showJob,
} from './jobs.ts';
import type { Handler } from './kinds.ts';
import { putLimit, removeLimit, showLimits } from './limits.ts';
import { checkDatabase, makeBackup } from './maintenance.ts';
import { testNotifications } from './notifications.ts';
import { prepareLogPruning } from './old-logs.ts';
import { showPlannedJobs } from './planning.ts';
import { prune } from './pruning.ts';
import { modifySchedule } from './schedule-modification.ts';
import {
  collectItems,
  listSchedules,
  makeSchedule,
  pauseSchedule,
  removeSchedule,
  runSchedule,
  showSchedule,
} from './schedules.ts';
import { describeServer, rotateToken, showAwaited, stopServer } from './server.ts';
import { showSites, storeSite } from './sites.ts';
import { changeSlurmConfig, confirmSubmission, createSlurmConfig, recordSubmissions } from './slurm.ts';
import { showStatus, showWorkflowStatus } from './status.ts';
import { showTimeline, showUtilization } from './timeline.ts';
import { showEarlierUsage, showUsage, showUsageHours } from './usage.ts';
import { greetWorker } from './workers.ts';
import {
  cancelWorkflow,
  changeWorkflow,
  chooseRows,
  deleteWorkflow,
  findCandidates,
  findWorkflow,
  listRecords,
  pauseWorkflow,
  showWorkflow,
  startWorkflow,
} from './workflows.ts';

type Handled = Exclude<EndpointName, 'exchange'>;

const handlers: { readonly [N in Handled]: Handler<N> } = {
  server_info: { kind: 'read', run: describeServer },
  server_awaited: { kind: 'read', run: showAwaited },
  server_stop: { kind: 'write', run: stopServer },
  server_backup: { kind: 'read', run: makeBackup },
  server_check: { kind: 'read', run: checkDatabase },
  server_prune: { kind: 'steps', begin: prune },
  logs_prune: { kind: 'prepared', prepare: prepareLogPruning },
  server_rotate_token: { kind: 'read', run: rotateToken },
  workflow_create_begin: { kind: 'write', run: beginCreation },
  workflow_create_chunk: { kind: 'write', run: createChunk },
  workflow_create_finish: { kind: 'write', run: finishCreation },
  workflow_outline: { kind: 'read', run: outlineWorkflow },
  workflow_show: { kind: 'read', run: showWorkflow },
  workflow_find: { kind: 'read', run: findWorkflow },
  workflow_graph: { kind: 'read', run: drawWorkflow },
  graph_group: { kind: 'read', run: showGroup },
  workflow_start: { kind: 'steps', check: checkStart, begin: startWorkflow },
  workflow_cancel: { kind: 'steps', begin: cancelWorkflow },
  notifications_test: { kind: 'read', run: testNotifications },
  limit_set: { kind: 'write', run: putLimit },
  limit_delete: { kind: 'write', run: removeLimit },
  workflow_delete: { kind: 'steps', begin: deleteWorkflow },
  workflow_restart: { kind: 'prepared', prepare: prepareRestart },
  workflow_stop_running: { kind: 'write', run: stopRunning },
  workflow_pause: { kind: 'write', run: pauseWorkflow },
  workflow_autoscale: { kind: 'write', run: autoscaleWorkflow },
  workflow_modify: { kind: 'write', run: changeWorkflow },
  workflow_export: { kind: 'read', run: exportWorkflow },
  workflow_import_history: { kind: 'write', run: importHistory },
  workflow_import_finish: { kind: 'write', run: finishHistory },
  candidates: { kind: 'read', run: findCandidates },
  list: { kind: 'read', run: listRecords },
  select: { kind: 'read', run: chooseRows },
  jobs_reset: { kind: 'prepared', prepare: prepareReset },
  jobs_cancel: { kind: 'write', run: planJobCancel },
  jobs_hold: { kind: 'write', run: planHold },
  jobs_disable: { kind: 'prepared', prepare: prepareDisable },
  jobs_mark_done: { kind: 'prepared', prepare: prepareMark },
  workflow_copy: { kind: 'write', run: copyWorkflow },
  jobs_diagnose: { kind: 'prepared', prepare: prepareDiagnosis },
  jobs_add: { kind: 'write', run: addJobsTo },
  jobs_add_children: { kind: 'write', run: addChildrenOf },
  jobs_delete: { kind: 'write', run: deleteJobs },
  job_show: { kind: 'read', run: showJob },
  jobs_outputs: { kind: 'read', run: findOutputs },
  failed_outputs: { kind: 'read', run: findFailedOutputs },
  limits_list: { kind: 'read', run: showLimits },
  sites_list: { kind: 'read', run: showSites },
  planned_jobs: { kind: 'read', run: showPlannedJobs },
  demand: { kind: 'read', run: showDemand },
  usage: { kind: 'read', run: showUsage },
  usage_hours: { kind: 'read', run: showUsageHours },
  usage_earlier: { kind: 'read', run: showEarlierUsage },
  timeline: { kind: 'read', run: showTimeline },
  utilization: { kind: 'read', run: showUtilization },
  status: { kind: 'read', run: showStatus },
  workflow_status: { kind: 'read', run: showWorkflowStatus },
  schedules_list: { kind: 'read', run: listSchedules },
  schedule_show: { kind: 'read', run: showSchedule },
  schedule_add: { kind: 'prepared', prepare: makeSchedule },
  schedule_modify: { kind: 'prepared', prepare: modifySchedule },
  generator_put: { kind: 'write', run: collectItems },
  schedule_pause: { kind: 'prepared', prepare: pauseSchedule },
  schedule_run: { kind: 'write', run: runSchedule },
  schedule_delete: { kind: 'write', run: removeSchedule },
  job_modify: { kind: 'write', run: changeJob },
  jobs_modify: { kind: 'write', run: modifyJobs },
  resource_requirements_add: { kind: 'write', run: createRequirements },
  resource_requirements_assign: { kind: 'write', run: assignRequirements },
  resource_requirements_modify: { kind: 'steps', begin: changeRequirements },
  file_add: { kind: 'write', run: createFile },
  file_delete: { kind: 'write', run: removeFile },
  user_data_add: { kind: 'write', run: createUserData },
  user_data_modify: { kind: 'write', run: changeUserData },
  user_data_delete: { kind: 'write', run: removeUserData },
  worker_hello: { kind: 'write', run: greetWorker },
  slurm_config_add: { kind: 'write', run: createSlurmConfig },
  slurm_config_modify: { kind: 'write', run: changeSlurmConfig },
  allocations_record: { kind: 'write', run: recordSubmissions },
  allocation_confirm: { kind: 'write', run: confirmSubmission },
  site_put: { kind: 'write', run: storeSite },
};

/** The exchange is served elsewhere; every other endpoint has a handler. */
export function handlerOf<N extends EndpointName>(endpoint: N): Handler<N> {
  return (handlers as { readonly [E in EndpointName]: Handler<E> })[endpoint];
}
