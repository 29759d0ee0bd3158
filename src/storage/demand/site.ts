/** What the cluster of this server offers, as Slurm said it last. */
import type { SiteProfile } from '../../model/plan/site.ts';
import type { Transaction } from '../database/transaction.ts';

/** The profile that was refreshed last; null while there is none. */
export function latestSite(tx: Transaction): SiteProfile | null {
  const sql = 'SELECT profile FROM site_profiles ORDER BY refreshed_at DESC, cluster LIMIT 1';
  const row = tx.db.get<{ profile: string }>(sql);
  return row === undefined ? null : (JSON.parse(row.profile) as SiteProfile);
}
