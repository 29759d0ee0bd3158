/** Limits on jobs that run at once. */
import type { Reply, Request } from '../../api/contract.ts';
import { changeLimit, listLimits } from '../../storage/authoring/limits.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import type { ServerContext } from '../context.ts';

export function showLimits({ view }: ServerContext, request: Request<'limits_list'>): Reply<'limits_list'> {
  return listLimits(view, request);
}

export function putLimit(tx: Transaction, request: Request<'limit_set'>): Reply<'limit_set'> {
  return changeLimit(tx, request);
}

export function removeLimit(tx: Transaction, request: Request<'limit_delete'>): Reply<'limit_delete'> {
  return changeLimit(tx, { ...request, maximum: null });
}
