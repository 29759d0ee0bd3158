/** Jobs that no allocation can hold, in words: what they ask for, what there is, and what to type. */
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import type { SiteProfile } from '../../model/plan/site.ts';
import type { Unfit, UnfitJobs } from '../../model/plan/unfit.ts';
import { quoted } from '../../model/spec/names.ts';
import { type Context, note } from '../context/context.ts';
import { misfitText } from './misfit-text.ts';
import { slurmTime } from './reason-help.ts';
import { cellText } from './table.ts';

/** At most this many kinds of jobs are listed. */
const mostTold = 5;

/** Shows the largest nodes and the longest times. */
export function siteCommand({ torc }: Pick<Context, 'torc'>): string {
  return `${torc} hpc slurm site show`;
}

/** A clause about so many jobs. */
export function unfitText({ config, misfit, isWalltime }: Unfit, numJobs: number, site: SiteProfile | null): string {
  if (config === null) return `${misfitText(misfit, numJobs)} on cluster ${cellText(site?.cluster ?? '')}`;
  const name = `Slurm config ${quoted(config.name)}`;
  if (misfit.code === 'outlasts_partitions' && isWalltime) {
    const they = numJobs === 1 ? 'it' : 'they';
    const last = formatDuration(misfit.longest_seconds);
    return `${they} may run for ${formatDuration(misfit.runtime_seconds)}, and allocations of ${name} last ${last}`;
  }
  return `${misfitText(misfit, numJobs)} (${name})`;
}

/** One line for each kind of jobs of a specification, with its place. */
function unfitLines(
  found: readonly UnfitJobs[],
  site: SiteProfile | null,
  { placeOf, help }: { placeOf?: ((job: number) => string) | undefined; help: (one: UnfitJobs) => string | null },
): string[] {
  const lines = found.slice(0, mostTold).map((one) => {
    const place = placeOf === undefined ? '' : `${placeOf(one.firstJob)}: `;
    const which = one.numJobs === 1 ? `job ${cellText(one.name)}` : `${one.numJobs} jobs from ${cellText(one.name)} on`;
    const command = help(one);
    const text = `${place}${which} cannot run in any allocation: ${unfitText(one, one.numJobs, site)}`;
    return command === null ? text : `${text}: ${command}`;
  });
  if (found.length <= mostTold) return lines;
  return [...lines, `and ${counted(found.length - mostTold, 'more kind')} of jobs`];
}

/** Warns about jobs of a specification that was stored under this key; null where it was not. */
export function noteUnfitJobs(
  context: Context,
  found: readonly UnfitJobs[],
  site: SiteProfile | null,
  { placeOf, workflowKey }: { placeOf?: ((job: number) => string) | undefined; workflowKey: string | null },
): void {
  const help = ({ config, misfit, isWalltime }: UnfitJobs): string | null => {
    if (!isWalltime || config === null) return site === null ? null : siteCommand(context);
    if (workflowKey === null || misfit.code !== 'outlasts_partitions') return null;
    const walltime = slurmTime(misfit.runtime_seconds);
    return `${context.torc} -k ${workflowKey} hpc slurm modify-config ${cellText(config.name)} -w ${walltime}`;
  };
  for (const line of unfitLines(found, site, { placeOf, help })) note(context, line, 'warning');
}

/** Throws TorcError 'usage' when there are any. */
export function refuseUnfitJobs(
  context: Context,
  found: readonly UnfitJobs[],
  site: SiteProfile | null,
  placeOf: ((job: number) => string) | undefined,
): void {
  if (found.length === 0) return;
  const lines = unfitLines(found, site, { placeOf, help: () => null });
  const look = site === null ? '' : `; ${siteCommand(context)} shows what there is`;
  const hint = `Ask for less, or change the Slurm config${look}. Nothing was stored or submitted; --force does it anyway.`;
  throw new TorcError('usage', lines.join('\n'), hint);
}
