/** A specification with Slurm configs and actions written into it; its comments and everything else stay as they are. */
import { extname } from 'node:path';
import { TorcError } from '../../base/errors.ts';
import { readBytes } from './given-file.ts';

const hint = 'Give a specification in YAML or JSON; torc submit SPEC --yes plans without changing a file.';

export async function writtenInto(
  path: string,
  { schedulers, actions }: { schedulers: readonly object[]; actions: readonly object[] },
): Promise<string> {
  const text = readBytes(path, hint).toString('utf8');
  const ending = extname(path).toLowerCase();
  if (ending === '.json') {
    const spec = JSON.parse(text) as Record<string, unknown>;
    const before = Array.isArray(spec.actions) ? spec.actions : [];
    return `${JSON.stringify({ ...spec, slurm_schedulers: schedulers, actions: [...before, ...actions] }, null, 2)}\n`;
  }
  if (ending !== '.yaml' && ending !== '.yml') {
    throw new TorcError('usage', `the plan cannot be written into ${path}`, hint);
  }
  const { isSeq, parseDocument } = await import('yaml');
  const document = parseDocument(text);
  document.set('slurm_schedulers', document.createNode(schedulers));
  const before = document.get('actions');
  if (isSeq(before)) for (const action of actions) before.add(document.createNode(action));
  else document.set('actions', document.createNode(actions));
  return document.toString({ lineWidth: 0 });
}
