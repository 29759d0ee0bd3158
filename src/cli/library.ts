/** torc in other programs: `import { Workflow } from 'torc'`. The same as the commands, without a terminal. */

export type { ScheduleRecord, WorkflowShown } from '../api/contract.ts';
export { TorcError } from '../base/errors.ts';
export type { ActionSpec, NotificationSpec } from '../model/spec/reactions.ts';
export type {
  FailureHandlerSpec,
  FileSpec,
  JobSpec,
  RequirementsSpec,
  SlurmSchedulerSpec,
  WorkflowSpec,
} from '../model/spec/spec.ts';
export { addChildren, type ChildrenOptions } from './library/children.ts';
export type { CopyOptions, Place, RunOptions, WaitOptions, WorkflowRunOptions } from './library/place.ts';
export {
  addGenerator,
  addSchedule,
  deleteGenerator,
  deleteSchedule,
  type GeneratorOptions,
  listGenerators,
  listSchedules,
  putItems,
  type ScheduleOptions,
} from './library/schedules.ts';
export { Tool, type ToolWorkflow, WorkflowRunStatus } from './library/tool.ts';
export { Workflow } from './library/workflow.ts';
export type { Summary } from './output/summary.ts';
