/**
 * Groups that share allocations: those of one place in successive stages. Where a stage can use many more nodes than the one
 * before it leaves, or came after a pause, new allocations begin, because idle workers leave.
 */
import type { LabelSet } from '../labels.ts';
import type { JobGroup } from './groups.ts';
import { jobsAtOnce, offerOf, type Place } from './places.ts';

export interface Segment {
  place: Place;
  labels: LabelSet;
  /** Nodes of each allocation. */
  numNodes: number;
  withGpus: boolean;
  /** Indices of groups in the order of their stages. */
  groups: number[];
  /** So many workers its widest stage can use. */
  width: number;
}

/** A stage with this many times the workers of the one before it gets allocations of its own. */
const growth = 1.5;

/** `placeOf`: by group; null for one that is not planned. */
export function segmentsOf(
  groups: readonly JobGroup[],
  placeOf: readonly (Place | null)[],
  maxParallelJobs: number | null,
): Segment[] {
  const classes = new Map<string, number[]>();
  for (const [index, group] of groups.entries()) {
    const place = placeOf[index] ?? null;
    if (place === null) continue;
    const { name } = place.partition;
    const id = JSON.stringify([name, place.kind, group.labels, group.need.numNodes > 1, group.need.gpuThousandths > 0]);
    classes.set(id, [...(classes.get(id) ?? []), index]);
  }
  return [...classes.values()].flatMap((indices) => {
    return cut(groups, indices, placeOf[indices[0] as number] as Place, maxParallelJobs);
  });
}

function cut(
  groups: readonly JobGroup[],
  indices: readonly number[],
  place: Place,
  maxParallelJobs: number | null,
): Segment[] {
  const segments: Segment[] = [];
  const at = (index: number): JobGroup => groups[index] as JobGroup;
  const numNodes = Math.max(...indices.map((index) => at(index).need.numNodes));
  const withGpus = indices.some((index) => at(index).need.gpuThousandths > 0);
  const offer = offerOf(place, numNodes, maxParallelJobs, withGpus);
  const stages = [...new Set(indices.map((index) => at(index).stage))].sort((a, b) => a - b);
  let before: { segment: Segment; stage: number; left: number } | null = null;
  for (const stage of stages) {
    const these = indices.filter((index) => at(index).stage === stage);
    const width = Math.ceil(
      these.reduce((sum, index) => sum + at(index).numJobs / Math.max(1, jobsAtOnce(at(index), offer)), 0),
    );
    if (before === null || stage > before.stage + 1 || width > before.left * growth) {
      const segment = { place, labels: at(these[0] as number).labels, numNodes, withGpus, groups: these, width };
      segments.push(segment);
      before = { segment, stage, left: width };
      continue;
    }
    before.segment.groups.push(...these);
    before = { segment: before.segment, stage, left: Math.min(before.left, width) };
  }
  return segments;
}
