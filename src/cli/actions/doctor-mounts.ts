/** What the options of a mount say about its file system. */
import type { Mount } from './doctor-findings.ts';

const optionsOf = ({ options }: Mount): string[] => options.split(',');

/**
 * The option by which locks stay on this host: its processes see them, those of other hosts do not. Null when there is
 * none. Only locks of byte ranges count, which SQLite takes.
 */
export function localLocks(mount: Mount): string | null {
  const local: Readonly<Record<string, readonly string[]>> = {
    nfs: ['nolock', 'local_lock=all', 'local_lock=posix'],
    nfs4: ['nolock', 'local_lock=all', 'local_lock=posix'],
    lustre: ['localflock'],
    cifs: ['nobrl', 'nolock'],
    smb3: ['nobrl', 'nolock'],
  };
  return optionsOf(mount).find((option) => local[mount.type]?.includes(option)) ?? null;
}

/** The option by which a server that does not answer becomes an error of a read or write; null for one that is waited for. */
export function softOption(mount: Mount): string | null {
  const isNetwork = ['nfs', 'nfs4'].includes(mount.type);
  return (isNetwork ? optionsOf(mount).find((option) => ['soft', 'softerr'].includes(option)) : null) ?? null;
}
