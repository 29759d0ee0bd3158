/** Changes of jobs and requirements: from options to a request, and from a reply to a table. */
import type { ChangedField, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { formatMemory, parseDuration, parseMemory } from '../../base/units.ts';
import { isGpuCount } from '../../model/job.ts';
import type { Context } from '../context/context.ts';
import { textTable } from '../output/output.ts';
import { type RecoverySettings, recoveryWords } from '../output/recovery-words.ts';

/** Requirements as typed, before sizes and durations are read. */
export interface ResourceOptions {
  cpus?: number;
  memory?: string;
  gpus?: number;
  runtime?: string;
  expectedRuntime?: string;
  nodes?: number;
  resource?: Record<string, number>;
  dryRun?: boolean;
}

type ResourceChanges = Request<'resource_requirements_modify'>['changes'];

/** The resource options as changes. Throws TorcError 'usage' for values that no job can have. */
export function resourceChanges({
  cpus,
  memory,
  gpus,
  runtime,
  expectedRuntime,
  resource,
}: ResourceOptions): ResourceChanges {
  if (gpus !== undefined && !isGpuCount(gpus)) {
    throw new TorcError(
      'usage',
      `${gpus} is not a number of GPUs`,
      'Give a fraction of one GPU (0.001 to 0.999) or whole GPUs.',
    );
  }
  return {
    ...(cpus === undefined ? {} : { num_cpus: cpus }),
    ...(memory === undefined ? {} : { memory_bytes: positive(parseMemory(memory), 'memory') }),
    ...(gpus === undefined ? {} : { gpu_thousandths: Math.round(gpus * 1000) }),
    ...(runtime === undefined ? {} : { runtime_ms: typedMs(runtime, 'runtime') }),
    ...(expectedRuntime === undefined ? {} : { expected_runtime_ms: typedMs(expectedRuntime, 'expected runtime') }),
    ...(resource === undefined ? {} : { resources: resource }),
  };
}

/** Null for an empty text. */
function typedMs(duration: string, what: string): number | null {
  return duration === '' ? null : positive(Math.round(parseDuration(duration) * 1000), what);
}

function positive(value: number, what: string): number {
  if (value > 0) return value;
  throw new TorcError('usage', `${what} must be more than 0`, null);
}

/** The changed fields with their old and new values as a table, after other columns; `''` when nothing differs. */
export function changesTable(
  context: Context,
  changes: readonly (ChangedField & Record<string, unknown>)[],
  before: readonly string[] = [],
): string {
  if (changes.length === 0) return '';
  const readable = (field: string, value: unknown) => {
    if (field === 'memory_bytes' && typeof value === 'number') return formatMemory(value);
    return field === 'recovery' && value !== null ? recoveryWords(value as RecoverySettings) : value;
  };
  const rows = changes.map(({ field, old_value, new_value, ...others }) => ({
    ...others,
    field,
    old_value: readable(field, old_value),
    new_value: readable(field, new_value),
  }));
  return textTable(context, [...before, 'field', 'old_value', 'new_value'], rows);
}
