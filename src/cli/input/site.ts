/** The profile of the cluster that this machine belongs to: as stored, and asked for again when it is old. */
import type { Api } from '../../api/contract.ts';
import type { StoredSite } from '../../api/sites.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import type { SiteProfile } from '../../model/plan/site.ts';
import { answered } from '../../slurm/answers.ts';
import { systemSlurm } from '../../slurm/commands.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { isOnPath } from './programs.ts';

const oldMs = 24 * 3600 * 1000;

const refreshWords = 'torc hpc slurm site refresh';

/** Asks Slurm, by three commands, and stores what it says. Throws TorcError 'slurm' when it does not answer. */
export async function refreshSite(context: Context, api: Api): Promise<StoredSite> {
  const { site, numUnparsed } = answered(await systemSlurm(context.env).site());
  if (site === null) {
    const hint = 'Ask your administrators which name `scontrol show config` should print as ClusterName.';
    throw new TorcError('slurm', 'scontrol does not say the name of this cluster', hint);
  }
  if (numUnparsed > 0) note(context, `${counted(numUnparsed, 'line')} of scontrol could not be read`, 'warning');
  const { refreshed_at } = await api.call('site_put', { site });
  return { ...site, refreshed_at };
}

/**
 * The stored profile, refreshed when it is older than a day. Without Slurm on this machine the one that was refreshed last;
 * throws TorcError 'not_found' where there is none.
 */
export async function currentSite(context: Context, api: Api): Promise<StoredSite> {
  const { sites } = await api.call('sites_list', {});
  if (!isOnPath('scontrol', context.env.PATH ?? '')) return withoutSlurm(context, sites);
  const stored = sites.length > 1 ? await ofThisCluster(context, sites) : sites[0];
  if (stored !== undefined && ageMs(context, stored) < oldMs) return stored;
  return await refreshSite(context, api);
}

/** The profile that checks go by: asks Slurm as `currentSite` does, and without an answer does without. */
export async function siteIfKnown(context: Context, api: Api): Promise<StoredSite | null> {
  if (!isOnPath('scontrol', context.env.PATH ?? '')) return null;
  return currentSite(context, api).catch(() => null);
}

/** The same for a dry run, which makes no directory: where there is none, what Slurm says is not stored. */
export async function siteOfDryRun(context: Context): Promise<SiteProfile | null> {
  const stored = withConnection(context, ({ api }) => siteIfKnown(context, api), { leavesServer: true });
  return stored.catch(async () => {
    const answer = await systemSlurm(context.env).site();
    return answer.kind === 'ok' ? answer.value.site : null;
  });
}

/** The stored profile of the only cluster that is known; Slurm is not asked. */
export async function storedSite(api: Api): Promise<StoredSite | null> {
  const { sites } = await api.call('sites_list', {});
  return sites.length === 1 ? (sites[0] ?? null) : null;
}

function ageMs({ clock }: Context, { refreshed_at }: StoredSite): number {
  return clock.now() - Date.parse(refreshed_at);
}

async function ofThisCluster({ env }: Context, sites: readonly StoredSite[]): Promise<StoredSite | undefined> {
  const name = answered(await systemSlurm(env).clusterName());
  return sites.find(({ cluster }) => cluster === name);
}

function withoutSlurm(context: Context, [latest]: readonly StoredSite[]): StoredSite {
  if (latest === undefined) {
    const hint = `Run it on a login node of the cluster; ${refreshWords} there stores what the cluster offers.`;
    throw new TorcError('not_found', 'there is no Slurm on this machine, and no cluster is known yet', hint);
  }
  if (ageMs(context, latest) >= oldMs) {
    note(context, `cluster ${latest.cluster} as of ${latest.refreshed_at}; on a login node: ${refreshWords}`);
  }
  return latest;
}
