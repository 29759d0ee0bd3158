/** Profiles of clusters: one for each, the latest. */
import type { Reply, Request } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import type { SiteProfile } from '../../model/plan/site.ts';
import type { Transaction } from '../database/transaction.ts';

export function putSite(tx: Transaction, { site }: Request<'site_put'>): Reply<'site_put'> {
  tx.db.run(
    `INSERT INTO site_profiles (cluster, refreshed_at, profile) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET refreshed_at = excluded.refreshed_at, profile = excluded.profile`,
    site.cluster,
    tx.now,
    JSON.stringify(site),
  );
  return { cluster: site.cluster, refreshed_at: isoInstant(tx.now) as string };
}

export function listSites(tx: Transaction): Reply<'sites_list'> {
  const sql = 'SELECT refreshed_at, profile FROM site_profiles ORDER BY refreshed_at DESC, cluster';
  const rows = tx.db.all<{ refreshed_at: number; profile: string }>(sql);
  const sites = rows.map(({ refreshed_at, profile }) => {
    return { ...(JSON.parse(profile) as SiteProfile), refreshed_at: isoInstant(refreshed_at) as string };
  });
  return { sites };
}
