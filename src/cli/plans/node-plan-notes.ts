/** What a specification cannot say about a plan. */
import { counted } from '../../base/text.ts';
import { type Context, note } from '../context/context.ts';
import { cellText } from '../output/table.ts';

interface Replaced {
  name: string;
  num_replacements: number;
}

/** Names the command that submits the allocations that follow when the first ones have ended. */
export function noteReplacements(context: Context, { allocations }: { allocations: readonly Replaced[] }): void {
  for (const { name, num_replacements: number } of allocations) {
    if (number === 0) continue;
    const needed = `${counted(number, 'more allocation')} ${number === 1 ? 'is' : 'are'} needed`;
    const when = `when those of Slurm config ${cellText(name)} have ended, ${needed}`;
    note(context, `${when}: torc hpc slurm schedule-nodes -s ${name} -n ${number}`);
  }
}
