/** `torc server ..`: the process that owns the database and answers workers and clients, and the database itself. */
import { type Command, Option } from 'commander';
import type { ServerStartOptions } from '../actions/server.ts';
import { decimalNumber, wholeNumber } from '../input/options.ts';
import { type Act, examples } from './declare.ts';

export function declareServer(program: Command, act: Act): void {
  const group = program.command('server').description('the server that workers on other nodes talk to');
  const start = group
    .command('start')
    .description('serve the database of the server directory over HTTPS')
    .option('--daemon', 'start it in the background and return')
    .option('--port <n>', 'port to listen on (default: one that is free)', wholeNumber('the port', 0))
    .option('--host <name>', 'name under which nodes reach this host (default: its own)')
    .option('--idle-minutes <n>', 'end when nobody has needed it for this long', decimalNumber('the time', 0.01))
    .addOption(
      new Option('--lease-seconds <n>', 'silence after which contact to a worker counts as lost')
        .argParser(decimalNumber('the time', 1))
        .hideHelp(),
    )
    .addHelpText('after', examples('torc server start --daemon', 'torc --dir /scratch/me/torc server start'));
  act(start, async (_, self) => {
    const { startServer } = await import('../actions/server.ts');
    return (context) => startServer(context, self.opts<ServerStartOptions>());
  });
  const stop = group
    .command('stop')
    .description('stop the server; workers go on and report when one is there again')
    .addHelpText('after', examples('torc server stop'));
  act(stop, async () => {
    const { stopServer } = await import('../actions/server.ts');
    return stopServer;
  });
  const rotate = group
    .command('rotate-token')
    .description('make another token; workers and commands that run go over to it by themselves')
    .option(
      '--grace-minutes <n>',
      'for how long the token before stays good; 0 after a leak',
      decimalNumber('the time', 0),
      10,
    )
    .addHelpText('after', examples('torc server rotate-token', 'torc server rotate-token --grace-minutes 0'));
  act(rotate, async (_, self) => {
    const { rotateToken } = await import('../actions/server.ts');
    return (context) => rotateToken(context, self.opts<{ graceMinutes: number }>().graceMinutes);
  });
  const info = group
    .command('info')
    .description('print where the server runs; ends with 5 when none answers')
    .addHelpText('after', examples('torc server info', 'torc -F json server info | jq -r .hostname'));
  act(info, async () => {
    const { showServer } = await import('../actions/server.ts');
    return showServer;
  });
  const backup = group
    .command('backup')
    .description('copy the database into a file, also while it is in use; the copy is whole and verified')
    .argument('<file>', 'where the copy goes; nothing may be there')
    .option('--force', 'replace the file')
    .addHelpText('after', examples('torc server backup torc-backup.db', 'torc server backup --force ~/backups/torc.db'))
    .addHelpText(
      'after',
      `
To restore it, end what uses the database (torc server stop; while there is a holder.json in the
server directory, somebody does), then: cp torc-backup.db ~/.torc/torc.db; torc server start --daemon`,
    );
  act(backup, async ([file], self) => {
    const { backUp } = await import('../actions/server-maintenance.ts');
    return (context) => backUp(context, file as string, self.opts<{ force?: boolean }>().force === true);
  });
  const check = group
    .command('check')
    .description('look whether the database is sound, also while it is in use')
    .addHelpText('after', examples('torc server check', "torc -F json server check | jq -r '.problems[].message'"))
    .addHelpText(
      'after',
      `
Exit codes: 0 sound, 4 something in it is broken (each thing is named), 5 it cannot be opened.`,
    );
  act(check, async () => {
    const { check: checkServer } = await import('../actions/server-maintenance.ts');
    return checkServer;
  });
}
