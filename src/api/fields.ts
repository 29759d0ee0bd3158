/** The fields that requests and replies are made of. */

import { z } from 'zod';
import type { Json } from '../base/exact-json.ts';
import { labelPattern, mostLabels } from '../model/labels.ts';
import {
  cpuPlacements,
  environmentProblem,
  executions,
  stdioModes,
  variableName,
  variableNameRule,
} from '../model/launch.ts';
import { problemOfResources } from '../model/named-resources.ts';
import { attributeName, attributeNameRule, longestAttribute, mostAttributes } from '../model/spec/attributes.ts';
import { documentProblem } from '../model/spec/user-data.ts';

export const key = z.string().regex(/^[1-9][0-9]{0,15}$/, 'a key is a positive whole number');
export const count = z.number().int().nonnegative();
export const age = z.number().nonnegative();
/** Text that SQLite returns unchanged. */
export const text = z
  .string()
  .refine((s) => !s.includes('\0'), 'must not contain a NUL byte')
  .refine((s) => s.isWellFormed(), 'must not contain an incomplete character (a lone UTF-16 surrogate)');
export const name = text.min(1).max(4096);
/** Labels of a job, a worker or a Slurm config. */
export const labels = z
  .array(z.string().regex(labelPattern, 'a label may contain only letters, digits and _.:/@+=-'))
  .max(mostLabels);
/** The caller's own login name, as which a request acts anyway; any other is refused. */
export const self = name.optional();
/** The name of a limit on jobs that run at once. */
export const limitName = z
  .string()
  .regex(labelPattern, 'the name of a limit may contain only letters, digits and _.:/@+=-');
export const limitNames = z.array(limitName).max(mostLabels);
/** A Slurm job id; it appears on command lines, where a leading dash would make it an option. */
export const slurmJobId = z.string().regex(/^[0-9][0-9A-Za-z_+.,%[\]-]{0,99}$/, 'a Slurm job id begins with a digit');
/** A document of a user, passed on as it is: zod would drop the key `__proto__` and numbers that are kept as written. */
export const json = () =>
  z.custom<Json>().superRefine((value, context) => {
    const problem = documentProblem(value);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  });
const attributeKey = z.string().regex(attributeName, attributeNameRule);
const attributeValue = text.max(longestAttribute);
const few = (given: object): boolean => Object.keys(given).length <= mostAttributes;
const tooMany = `at most ${mostAttributes} attributes are allowed`;
/** Missing when there are none. */
export const attributes = z.record(attributeKey, attributeValue).refine(few, tooMany).optional();
const variable = z.string().regex(variableName, variableNameRule);
const fits = (env: Readonly<Record<string, string>>): boolean => environmentProblem(env) === null;
/** Environment variables; missing when there are none. */
export const environment = z.record(variable, text).refine(fits, 'has too many or too long variables').optional();
/** Null removes one; the others stay. */
export const changedEnvironment = z.record(variable, text.nullable());
/** How many of each named resource; missing for none. */
export const namedResources = z.record(z.string(), count).superRefine((amounts, context) => {
  const problem = problemOfResources(amounts);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});
export const path = text.min(1).max(4096);
/** How the process of a job is started; what is missing is as for all jobs of the workflow. */
export const launch = {
  /** Over those of the workflow. */
  env: environment,
  /** Instead of that of the workflow. */
  stdio: z.enum(stdioModes).optional(),
  /** Where it starts, relative to where the others start. */
  cwd: path.optional(),
  /** What it reads, relative to where it starts. */
  stdin: path.optional(),
  /** The image in which its command runs. */
  container: path.optional(),
  /** Its processes run only on the CPUs that it is given. */
  pin: z.boolean().optional(),
  cpu_placement: z.enum(cpuPlacements).optional(),
  /** What starts it in an allocation of Slurm. */
  execution: z.enum(executions).optional(),
  /** The command of a fork server that may start it. */
  warm: path.optional(),
};
/** Null removes one; the others stay. */
export const changedAttributes = z.record(attributeKey, attributeValue.nullable()).refine(few, tooMany);
/** ISO 8601 UTC. */
export const instant = z.iso.datetime();

/** One field that a change gives another value; null where there is none. */
export const changedField = () => z.strictObject({ field: z.string(), old_value: z.unknown(), new_value: z.unknown() });
export type ChangedField = z.infer<ReturnType<typeof changedField>>;

/** What replies of servers that do not have a field mean by that, where it is not null, an empty list or false. */
export const valuesBefore = z.registry<{ value: unknown }>();
