/** A document of another system in, a specification out; every problem with its place. */
import { withPlainNumbers } from '../../base/exact-json.ts';
import { expandSpec } from '../expand/expand.ts';
import type { PathPlace } from '../expand/file-paths.ts';
import { readDocument } from '../expand/read.ts';
import { checkShape } from '../spec/check.ts';
import { Findings, type Position } from '../spec/problems.ts';
import { translateColonies } from './colonies.ts';
import { translateProminence } from './prominence.ts';
import type { ForeignSystem } from './systems.ts';
import type { Remark, Translation } from './translation.ts';

const translators: Readonly<Record<ForeignSystem, (document: unknown, findings: Findings) => Translation | null>> = {
  prominence: translateProminence,
  colonies: translateColonies,
};

/** A remark with its place. */
export type PlacedRemark = Omit<Remark, 'at'> & Position;

export interface ForeignWorkflow extends Pick<Translation, 'spec'> {
  numJobs: number;
  leftOut: PlacedRemark[];
  differences: PlacedRemark[];
}

/** Throws SpecError for a document that is wrong, also for one whose specification would not be accepted. */
export function readForeign(
  source: string | Uint8Array,
  { system, file, place }: { system: ForeignSystem; file: string; place?: PathPlace },
): ForeignWorkflow {
  const { document, text } = readDocument(source, { file });
  const findings = new Findings();
  const translation = translators[system](
    withPlainNumbers(document.value, () => false),
    findings,
  );
  findings.throwIfAny(file, document.where, { text });
  if (translation === null) throw new Error('a translation without a result has findings');
  const { spec, leftOut, differences } = translation;
  // the specification has the lists of the document in the same order, so most places are those of the document
  checkShape(spec, findings);
  findings.throwIfAny(file, document.where);
  const { numJobs } = expandSpec(spec, { file, where: document.where, place });
  const placed = (remarks: readonly Remark[]): PlacedRemark[] => {
    const positions = document.where(remarks);
    const all = remarks.map(({ at: _, ...remark }, i) => ({ ...remark, ...(positions[i] ?? { line: 1, column: 1 }) }));
    return all.sort((a, b) => a.line - b.line || a.column - b.column);
  };
  return { spec, numJobs, leftOut: placed(leftOut), differences: placed(differences) };
}
