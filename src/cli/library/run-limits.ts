/** Limits of one call of `run`: the workflow has them only while the call runs. */
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';

/** As the options of `run`. */
interface RunLimits {
  failFast: boolean | undefined;
  secondsUntilTimeout: number | undefined;
}

/** Calls `work` with the limits of the options in force; afterwards the workflow has those again that it had before. */
export async function whileLimited<T>(
  context: Context,
  workflow_key: string,
  { failFast, secondsUntilTimeout }: RunLimits,
  work: () => Promise<T>,
): Promise<T> {
  if (failFast !== true && secondsUntilTimeout === undefined) return work();
  const before = await withConnection(context, async ({ api }) => {
    const { max_failures, timeout_seconds } = await api.call('workflow_show', { workflow_key });
    const changes = {
      ...(failFast === true ? { max_failures: 1 } : {}),
      ...(secondsUntilTimeout === undefined ? {} : { timeout_seconds: secondsUntilTimeout }),
    };
    await api.call('workflow_modify', { workflow_key, changes });
    return { max_failures, timeout_seconds };
  });
  try {
    return await work();
  } finally {
    await withConnection(context, ({ api }) => api.call('workflow_modify', { workflow_key, changes: before }));
  }
}
