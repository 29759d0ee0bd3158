/** Resource requirements of a specification. */
import { z } from 'zod';
import { TorcError } from '../../base/errors.ts';
import { parseDuration, parseMemory } from '../../base/units.ts';
import { isGpuCount } from '../job.ts';
import { isFromData } from './needs-from-data.ts';
import { name, namedResources, readable, someTime, text } from './spec-values.ts';

/** A text that names data. Of another value the problem is what is wrong with it as a number. */
const fromData = text.refine(isFromData, { abort: true });

export const resourceRequirements = z
  .strictObject({
    name,
    num_cpus: z.union([z.int().min(1).max(1_000_000), fromData]),
    memory: readable((value) => {
      if (!isFromData(value) && parseMemory(value) === 0) throw new TorcError('usage', 'A job needs some memory.');
    }).nullish(),
    num_gpus: z
      .union([
        z.number().min(0).max(10_000).refine(isGpuCount, 'a share of one GPU (0.001 to 0.999) or whole GPUs'),
        fromData,
      ])
      .nullish(),
    num_nodes: z.int().min(1).max(100_000).nullish(),
    runtime: readable((value) => {
      if (!isFromData(value) && parseDuration(value) === 0) throw new TorcError('usage', 'A job needs some time.');
    }).nullish(),
    expected_runtime: someTime.nullish(),
    resources: namedResources.nullish(),
  })
  .superRefine(({ runtime, expected_runtime: expected }, context) => {
    if (runtime == null || expected == null || isFromData(runtime)) return;
    if (parseDuration(expected) <= parseDuration(runtime)) return;
    const message = `is longer than the runtime of ${runtime}, after which the job is stopped`;
    context.addIssue({ code: 'custom', path: ['expected_runtime'], message });
  });
