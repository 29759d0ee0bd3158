/**
 * What a job asks for after an attempt that ran out of memory or time: only that grows, from the value last tried, as far
 * as a Slurm config gives it.
 */
import { packedMs, type Requirements } from '../job.ts';
import { nextValue, type Scale, type ScaledField } from '../scale.ts';

/** A Slurm config, or all that a job without one may run on. */
export interface Room {
  /** Of the Slurm config, or `anyConfig`. */
  key: number;
  name: string | null;
  /** The most that a job can have there; null where that is not known. */
  memoryBytes: number | null;
  runtimeMs: number | null;
}

export interface Exceeded {
  field: ScaledField;
  /** What the attempt asked for. */
  tried: Requirements;
  /** What the job asks for now: a person may have changed it since. */
  now: Requirements;
  /** The peak memory or the runtime of the attempt, as far as it is known. */
  used: number | null;
}

export interface Scaled {
  field: ScaledField;
  /** Null when nothing was stated. */
  oldValue: number | null;
  newValue: number;
  /** What the rule says; more than `newValue` where something limits it. */
  wanted: number;
  limitedBy: 'max' | 'scheduler' | null;
  need: Requirements;
  room: Room;
}

/** Why a request does not grow: its value is the most that it can have. */
export interface Capped {
  field: ScaledField;
  value: number;
  limitedBy: 'max' | 'scheduler' | 'list';
}

/**
 * The next request; a cap that is reached already; `raised` where the job asks for more by now than was tried; or null
 * where the rule does not scale what was exceeded or nothing is known to scale from. `rooms`: that of the job first, then
 * its fallbacks.
 */
export function scaledNeed(
  scale: Scale,
  exceeded: Exceeded,
  rooms: readonly [Room, ...Room[]],
): Scaled | Capped | 'raised' | null {
  const { field, used } = exceeded;
  const growth = scale[field];
  if (growth === undefined) return null;
  const tried = statedValue(exceeded.tried, field);
  const now = statedValue(exceeded.now, field);
  if (now !== null && now > (tried ?? 0)) return 'raised';
  const wanted = nextValue(field, growth, { tried, used });
  if (wanted === null) return tried === null ? null : { field, value: tried, limitedBy: 'list' };
  const allowed = Math.min(wanted, scale.max?.[field] ?? Number.POSITIVE_INFINITY);
  const room = roomFor(withValue(exceeded.now, field, allowed), field, rooms);
  const most = mostIn(room, field) ?? Number.POSITIVE_INFINITY;
  const newValue = Math.min(allowed, most);
  const limitedBy = newValue === wanted ? null : most < allowed ? 'scheduler' : 'max';
  if (tried !== null && newValue <= tried) return { field, value: tried, limitedBy: limitedBy ?? 'max' };
  const need = withValue(exceeded.now, field, newValue);
  return { field, oldValue: tried, newValue, wanted, limitedBy, need, room };
}

function statedValue(need: Requirements, field: ScaledField): number | null {
  if (field === 'memory') return need.isMemoryStated ? need.memoryBytes : null;
  return need.isRuntimeStated ? need.runtimeMs : null;
}

function withValue(need: Requirements, field: ScaledField, value: number): Requirements {
  if (field === 'memory') return { ...need, memoryBytes: value, isMemoryStated: true };
  // it has run longer than it was expected to
  const { expectedMs: _, ...others } = need;
  return { ...others, runtimeMs: value, isRuntimeStated: true };
}

function mostIn(room: Room, field: ScaledField): number | null {
  return field === 'memory' ? room.memoryBytes : room.runtimeMs;
}

/** The first that gives all of it, else the one that gives most of what was exceeded. */
function roomFor(need: Requirements, field: ScaledField, [own, ...fallbacks]: readonly [Room, ...Room[]]): Room {
  const others = fallbacks.filter((room) => holds(room, need, field === 'memory' ? 'runtime' : 'memory'));
  const fitting = [own, ...others].find((room) => holds(room, need, field));
  if (fitting !== undefined) return fitting;
  const size = (room: Room): number => mostIn(room, field) ?? 0;
  return others.reduce((best, room) => (size(room) > size(best) ? room : best), own);
}

function holds(room: Room, need: Requirements, field: ScaledField): boolean {
  const most = mostIn(room, field);
  if (most === null) return true;
  if (field === 'memory') return need.memoryBytes <= most;
  const hasRuntime = need.isRuntimeStated || need.expectedMs !== undefined;
  return !hasRuntime || packedMs(need) <= most;
}
