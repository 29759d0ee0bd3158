/** Whether anything secret can be seen of the processes of a node. */
import { type Node, output } from './cluster.ts';
import type { Site } from './site.ts';

/**
 * Looks at all processes of a node, as root, until `watched` appears in the directory of the site or that is removed; returns
 * those that show the token.
 */
export function watchProcesses(site: Site, node: Node, token: string): Promise<string> {
  const script = `token=$(cat); until [ -e "$1/watched" ] || [ ! -d "$1" ]; do
    for file in cmdline environ; do grep -lsF -f <(printf %s "$token") /proc/[0-9]*/$file; done; sleep 0.2; done; true`;
  return output(['bash', '-c', script, 'bash', site.path], { node, user: 'root', input: token });
}
