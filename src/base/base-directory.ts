/** Whether a directory in which jobs run is there, on the host that wants to use it. */
import { stat } from 'node:fs/promises';
import { systemCode, TorcError } from './errors.ts';

/** Throws 'not_found' when it does not exist, 'unusable' when the system does not let anyone look into it now. */
export async function requireDirectory(path: string, words: { what: string; hint: string }): Promise<void> {
  const { what, hint } = words;
  try {
    // needs the permission to look into it, which stat of the directory alone does not
    await stat(`${path}/.`);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new TorcError('not_found', `there is no directory ${what}`, hint);
    const reason = code ?? String(error);
    throw new TorcError('unusable', `cannot look into ${what} (${reason})`, `Try again when it can be read. ${hint}`);
  }
}

export interface BasePlace {
  path: string;
  workflowKey: string;
  /** As people know the host: its name, or `this machine`. */
  host: string;
  /** The program as it was called. */
  torc: string;
  /** What helps when this host does not have the file system. */
  otherHost?: string;
}

/** Throws 'not_found' or 'unusable' when the base directory of a workflow cannot be used on a host. */
export async function requireBaseDirectory({ path, workflowKey, host, torc, otherHost }: BasePlace): Promise<void> {
  const move = `If its files have moved: ${torc} workflows modify ${workflowKey} --base-directory DIR`;
  await requireDirectory(path, {
    what: `${path} on ${host}, the base directory of workflow ${workflowKey}`,
    hint: otherHost === undefined ? move : `${move}. ${otherHost}`,
  });
}
