/**
 * Workflows as ColonyOS reads them: a list of function specifications. Source: its documentation and what its server and
 * its Python library write. Keys that are not here are told and left out.
 */
import { z } from 'zod';

const text = z.string();
const whole = z.int().min(-1_000_000_000).max(1_000_000_000);
const number = whole.min(-1).nullish();

const gpu = z.object({ name: text.nullish(), mem: text.nullish(), count: number, nodecount: number });

const conditions = z.object({
  colonyname: text.nullish(),
  executornames: z.array(text).nullish(),
  /** As older versions of its Python library write it. */
  executorname: text.nullish(),
  executortype: text.nullish(),
  locationname: text.nullish(),
  dependencies: z.array(text).nullish(),
  nodes: number,
  cpu: text.nullish(),
  processes: number,
  processespernode: number,
  mem: text.nullish(),
  storage: text.nullish(),
  gpu: gpu.nullish(),
  walltime: number,
});

export const functionSpec = z.object({
  nodename: text.nullish(),
  funcname: text.min(1),
  args: z.array(z.json()).nullish(),
  kwargs: z.record(text, z.json()).nullish(),
  priority: whole.nullish(),
  /** Seconds; 0 and less are no limit. */
  maxwaittime: number,
  maxexectime: number,
  maxretries: number,
  conditions: conditions.nullish(),
  label: text.nullish(),
  fs: z.unknown().optional(),
  env: z.record(text, text).nullish(),
  channels: z.unknown().optional(),
});

export const functionList = z.array(functionSpec).min(1);

/** The object that its libraries send; its command line reads the bare list or one function. */
export const coloniesWorkflow = z.object({
  colonyname: text.nullish(),
  functionspecs: functionList,
});

export type FunctionSpec = z.infer<typeof functionSpec>;
export type ColoniesConditions = z.infer<typeof conditions>;
export type ColoniesGpu = z.infer<typeof gpu>;
