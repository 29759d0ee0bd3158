/** Commands of `torc hpc slurm` that plan: what the cluster offers. */
import type { Command } from 'commander';
import { type Act, examples } from './declare.ts';

export function declareSlurmPlanning(group: Command, act: Act): void {
  const site = group.command('site').description('what this cluster offers: its partitions, their limits and nodes');
  const show = site
    .command('show')
    .description('show partitions and nodes; asks Slurm when what is known is older than a day')
    .addHelpText('after', examples('torc hpc slurm site show', 'torc -F json hpc slurm site show | jq .partitions'));
  act(show, async () => {
    const { showSite } = await import('../actions/slurm-site.ts');
    return (context) => showSite(context);
  });
  const refresh = site
    .command('refresh')
    .description('ask Slurm now, with three commands')
    .addHelpText('after', examples('torc hpc slurm site refresh'));
  act(refresh, async () => {
    const { refreshStoredSite } = await import('../actions/slurm-site.ts');
    return (context) => refreshStoredSite(context);
  });
}
