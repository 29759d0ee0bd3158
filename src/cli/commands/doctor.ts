/** `torc doctor`: whether torc finds all that it needs here. */
import { type Command, Option } from 'commander';
import type { DoctorOptions } from '../actions/doctor.ts';
import { type Act, examples } from './declare.ts';

export function declareDoctor(program: Command, act: Act): void {
  const doctor = program
    .command('doctor')
    .description('check what torc needs here: node, database, file system, locks, server, Slurm; changes nothing')
    .addOption(new Option('--checks <names>').hideHelp())
    .addOption(new Option('--locked <file>').hideHelp())
    .addHelpText(
      'after',
      `
Each line is ok, or says what to do. Exits with 5 when something does not work, with 0 otherwise, also with warnings.
${examples('torc doctor', 'torc -F json doctor | jq \'.checks[] | select(.status != "ok")\'').trimStart()}`,
    );
  act(doctor, async (_, self) => {
    const { runDoctor } = await import('../actions/doctor.ts');
    return (context) => runDoctor(context, self.opts<DoctorOptions>());
  });
}
