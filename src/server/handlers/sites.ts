/** Profiles of clusters. */
import type { Reply, Request } from '../../api/contract.ts';
import { listSites, putSite } from '../../storage/authoring/sites.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import type { ServerContext } from '../context.ts';

export function storeSite(tx: Transaction, request: Request<'site_put'>): Reply<'site_put'> {
  return putSite(tx, request);
}

export function showSites({ view }: ServerContext): Reply<'sites_list'> {
  return listSites(view);
}
