/** The words that a job states besides names: labels, and limits, whose names look like labels. */
import { labelSet, labelsIn, problemOfLabel } from '../labels.ts';
import { quoted } from '../spec/names.ts';
import type { Findings } from '../spec/problems.ts';
import type { JobElement } from './elements.ts';
import type { Template } from './template.ts';

/** Of one job of an element, sorted and each once; what is wrong with them goes into `findings`. */
export function wordsOf(
  element: JobElement,
  kind: 'labels' | 'limits',
  instance: Parameters<Template['at']>[0],
  findings: Findings | null,
): string[] {
  if (element[kind].length === 0) return [];
  const { path, spec } = element;
  const words = element[kind].map((word) => word.at(instance));
  // `limit` comes before `limits`
  const numSingle = kind === 'limits' && spec.limit != null ? 1 : 0;
  for (const [k, word] of findings === null ? [] : words.entries()) {
    const problem = problemOfLabel(word, kind === 'labels' ? 'label' : 'name of a limit');
    const at = k < numSingle ? ['limit'] : [kind, k - numSingle];
    if (problem !== null) findings?.addOnce([...path, ...at], word, () => `${quoted(word)} ${problem}`);
  }
  return labelsIn(labelSet(words));
}
