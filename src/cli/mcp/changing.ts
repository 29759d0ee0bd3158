/** What an assistant can change: only what a plan has shown, with the token of that plan. */
import { acceptedContent, inputRequired, inputResponse } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Api } from '../../api/contract.ts';
import { type DashCommand, type DashPlan, type DashRequest, dashCommands } from '../../api/dash.ts';
import { applyCommand, planCommand } from '../answers/commands.ts';
import type { Context } from '../context/context.ts';
import { checkedKey, chooseWorkflow } from '../input/workflow-key.ts';
import { planSeconds, type ShownPlans } from './plans.ts';

const shownCharacters = 20_000;
/** A person is asked in a small window. */
const askedCharacters = 2000;

export const planInput = z.strictObject({
  command: z.enum(Object.keys(dashCommands) as DashCommand[]).describe('what to do, in the words of the command line'),
  target: z
    .string()
    .min(1)
    .max(1000)
    .describe('key or name of the workflow; for commands that begin with jobs- the key of the job'),
  number: z
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe('for schedule-nodes how many allocations, for autoscale how many nodes at most'),
});

export const applyInput = z.strictObject({
  plan_token: z.string().min(1).max(200).describe('of the plan that the person has agreed to'),
});

/** A plan as it is shown; its token is null where the command would refuse. */
interface PlanShown {
  plan_token: string | null;
  valid_seconds: number | null;
  command: string;
  is_possible: boolean;
  plan: string;
}

/** Changes nothing. */
export async function showPlan(
  context: Context,
  api: Api,
  plans: ShownPlans,
  { command, target, number }: z.infer<typeof planInput>,
  signal: AbortSignal,
): Promise<PlanShown> {
  const isAboutJob = command.startsWith('jobs-');
  const key = isAboutJob ? checkedKey(target, 'key of a job') : await chooseWorkflow(context, api, target, 'reads');
  const request = { command, key, number: number ?? null };
  return shownPlan(plans, request, await planCommand(context, request, signal));
}

function shownPlan(plans: ShownPlans, request: DashRequest, plan: DashPlan): PlanShown {
  const { typed, text, is_possible } = plan;
  const plan_token = is_possible ? plans.add({ request, plan }) : null;
  const valid_seconds = is_possible ? planSeconds : null;
  return { plan_token, valid_seconds, command: typed, is_possible, plan: cut(text, shownCharacters) };
}

interface Applied {
  is_done: boolean;
  /** What the command printed, or why nothing was done. */
  text: string;
  /** The plan of now, where it is another one than was agreed to: nothing was done. */
  new_plan: PlanShown | null;
}

/** What a client says of the request for an answer of its person. */
export interface Asking {
  /** Whether the client can ask its person. */
  canAsk: boolean;
  responses: Record<string, unknown> | undefined;
}

const answer = z.object({ carry_out: z.boolean().describe('yes, carry it out') });

/** Carries out the plan, once; a client that can ask its person asks first. */
export async function applyPlan(
  context: Context,
  plans: ShownPlans,
  token: string,
  { canAsk, responses }: Asking,
): Promise<Applied | ReturnType<typeof inputRequired>> {
  const { request, plan } = plans.get(token);
  if (canAsk) {
    const { kind } = inputResponse(responses, 'agreed');
    if (kind === 'missing') {
      const message = `Carry this out?\n\n  ${plan.typed}\n\n${cut(plan.text, askedCharacters)}`;
      return inputRequired({ inputRequests: { agreed: inputRequired.elicit({ message, requestedSchema: answer }) } });
    }
    if (acceptedContent(responses, 'agreed', answer)?.carry_out !== true) {
      plans.use(token);
      return { is_done: false, text: 'The person did not agree. Nothing was changed.', new_plan: null };
    }
  }
  plans.use(token);
  const { is_done, new_plan, text } = await applyCommand(context, { ...request, state: plan.state });
  if (new_plan === null) return { is_done, text: cut(text, shownCharacters), new_plan: null };
  const changed = 'Something has changed since the plan was made. Nothing was done; show the person the new plan.';
  return { is_done: false, text: changed, new_plan: shownPlan(plans, request, new_plan) };
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}\n..` : text;
}
