/** Attributes and environment variables of a job, whose texts may be too long once they are written out. */
import type { Attributes } from '../expanded.ts';
import { environmentProblem } from '../launch.ts';
import { attributesProblem } from '../spec/attributes.ts';
import type { Findings } from '../spec/problems.ts';
import type { JobElement } from './elements.ts';
import { textsAt } from './template.ts';

/** Null for a job without attributes. */
export function attributesAt({ attributes }: JobElement, instance: number): Attributes | null {
  return attributes.length === 0 ? null : textsAt(attributes, instance);
}

export function checkTexts(element: JobElement, instance: number, findings: Findings): void {
  const { path, env } = element;
  const environment = environmentProblem(textsAt(env, instance));
  if (environment !== null) findings.addOnce([...path, 'env'], environment, () => environment);
  const problem = attributesProblem(attributesAt(element, instance) ?? {});
  if (problem === null) return;
  findings.addOnce([...path, 'attributes', problem.name ?? ''], problem.message, () => problem.message);
}
