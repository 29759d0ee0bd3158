/** `torc why`: all reasons why jobs do not run, or why they ended as they did. */
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { jobsToRead } from '../input/chosen-jobs.ts';
import { readFailed } from '../output/failures.ts';
import { printResult } from '../output/output.ts';
import { unreachedWorkers } from '../output/unreached.ts';
import { type Why, whyOf, whyText } from '../output/why.ts';

interface Explained {
  why: Why;
  tail: readonly string[];
}

export async function explainJobs(context: Context, words: readonly string[]): Promise<void> {
  const { explained, isSingle } = await withConnection(context, async ({ api }) => {
    const { keys, isSingle } = await jobsToRead(context, api, words);
    const explained: Explained[] = [];
    const unreached = unreachedWorkers(context.directory, context.clock.now());
    for (const job_key of keys) {
      const why = whyOf(context, await api.call('job_show', { job_key }), unreached);
      const tail = why.outcome === 'failed' ? (await readFailed(api, job_key)).stderr_tail : null;
      explained.push({ why, tail: tail ?? [] });
    }
    return { explained, isSingle };
  });
  const [only] = explained;
  const values = explained.map(({ why, tail }) => ({ ...why, stderr_tail: tail }));
  const value = isSingle && only !== undefined ? (values[0] as object) : { jobs: values };
  const now = context.clock.now();
  await printResult(context, value, () => explained.map(({ why, tail }) => whyText(why, tail, now)).join('\n'));
}
