/** `torc create|start|list|..`: the commands of `torc workflows` that are typed most, without the group. */
import type { Command } from 'commander';
import type { Act } from './declare.ts';
import { declareWorkflowPauses } from './pauses.ts';
import { declareCreate, declareWorkflowList } from './workflows.ts';
import { declareCancel, declareDelete, declareStart } from './workflows-plans.ts';
import { declareRecover, declareRestart } from './workflows-restart.ts';

export function declareShortForms(program: Command, act: Act): void {
  declareCreate(program, act);
  declareStart(program, act);
  declareWorkflowList(program, act);
  declareWorkflowPauses(program, act);
  declareCancel(program, act);
  declareRestart(program, act);
  declareRecover(program, act);
  declareDelete(program, act);
}
