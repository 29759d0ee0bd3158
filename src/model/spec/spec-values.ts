/** What the values of a specification's keys are made of: names, texts, numbers, durations, parameters. */
import { z } from 'zod';
import { TorcError } from '../../base/errors.ts';
import { parseDuration } from '../../base/units.ts';
import { problemOfGivenLabels, problemOfLabel } from '../labels.ts';
import { environmentProblem, variableName, variableNameRule } from '../launch.ts';
import { problemOfResources } from '../named-resources.ts';
import { quoted } from './names.ts';

/** Longest name that is stored. */
const longestName = 4096;

/** Longest pattern that is tried on names. */
const longestPattern = 1000;

export const text = z
  .string()
  .refine((value) => !/[\0\p{Cs}]/u.test(value), 'contains a NUL byte or an incomplete character');
export const name = text.min(1).max(longestName);
export const names = z.array(name);
export const path = text.min(1).max(longestName);
export const patterns = z.array(text.min(1).max(longestPattern));
export const count = z.int().min(0);
export const positive = z.int().min(1).max(1_000_000_000);
export const flag = z.boolean();

/** A text that one of torc's functions parses; its error becomes the problem that is shown. */
export function readable(read: (value: string) => void) {
  return text.superRefine((value, context) => {
    try {
      read(value);
    } catch (error) {
      if (!(error instanceof TorcError)) throw error;
      context.addIssue({ code: 'custom', message: `${error.message} ${error.hint ?? ''}`.trim() });
    }
  });
}

/** A duration above 0. */
export const someTime = readable((value) => {
  if (parseDuration(value) === 0) throw new TorcError('usage', 'A duration must be longer than 0.');
});

export const command = text.refine((value) => value.trim() !== '', 'is empty');

export const scalar = z.union([text, z.number(), flag], 'a text, a number, true or false');

/** Environment variables; each value is stored as a text. */
export const environment = z
  .record(z.string().regex(variableName, variableNameRule), scalar)
  .superRefine((given, context) => {
    const problem = environmentProblem(given);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  });

/** Values of one parameter: a range or list as text (`1:100`, `[a,b]`), a list, or a single value. */
export const parameterValues = z.union(
  [text, z.number(), flag, z.array(scalar)],
  'a range such as "1:100", a list such as "[a,b]", or a single value',
);

export const parameters = z.record(name, parameterValues);

/** A label that a worker may be given. */
export const givenLabel = text.superRefine((value, context) => {
  const word = problemOfLabel(value);
  const problem = word === null ? problemOfGivenLabels([value]) : `${quoted(value)} ${word}`;
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

/** How many of each named resource. */
export const namedResources = z.record(z.string(), z.number()).superRefine((amounts, context) => {
  const problem = problemOfResources(amounts);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});
