/** `torc server ..`: the process that owns the database and answers workers and clients, and the database itself. */
import { type Command, Option } from 'commander';
import { advertisedText } from '../../api/addresses.ts';
import { relayKinds } from '../../api/relay-kinds.ts';
import { parseDuration } from '../../base/units.ts';
import type { RelayOptions } from '../actions/relay.ts';
import type { ServerStartOptions } from '../actions/server.ts';
import type { PruneOptions } from '../actions/server-prune.ts';
import { decimalNumber, readable, wholeNumber } from '../input/options.ts';
import { type Act, examples } from './declare.ts';

export function declareServer(program: Command, act: Act): void {
  const group = program.command('server').description('the server that workers on other nodes connect to');
  const start = group
    .command('start')
    .description('serve the database of the server directory over HTTPS')
    .option('--daemon', 'start it in the background and return')
    .option('--port <n>', 'port to listen on (default: any free port)', wholeNumber('the port', 0, 65_535))
    .option('--host <address>', 'address to listen on (default: all of this host)')
    .option(
      '--advertise <addresses>',
      'HOST[:PORT], with commas: tried by nodes before the name and addresses of this host',
      readable(advertisedText),
    )
    .addOption(
      new Option('--relay <how>', 'how nodes that cannot connect to this host are reached (default: off)').choices(
        relayKinds,
      ),
    )
    .option('--idle-minutes <n>', 'stop after this long without use', decimalNumber('the time', 0.01))
    .addOption(
      new Option('--lease-seconds <n>', 'silence after which contact with a worker counts as lost')
        .argParser(decimalNumber('the time', 1))
        .hideHelp(),
    )
    .addOption(new Option('--lasting').hideHelp())
    .addHelpText(
      'after',
      examples(
        'torc server start --daemon',
        'torc server start --daemon --advertise login1-ib0',
        'torc server start --daemon --relay slurm',
      ),
    )
    .addHelpText(
      'after',
      `
Workers find the addresses in the server directory and try them in turn; they accept no other server there. With
--relay slurm (srun) or ssh, the server reaches allocations whose workers can connect to none of them. See
docs/networks.md.`,
    );
  act(start, async (_, self) => {
    const { startServer } = await import('../actions/server.ts');
    return (context) => startServer(context, self.opts<ServerStartOptions>());
  });
  const stop = group
    .command('stop')
    .description('stop the server; workers continue and report when a server is back')
    .addHelpText('after', examples('torc server stop'));
  act(stop, async () => {
    const { stopServer } = await import('../actions/server.ts');
    return stopServer;
  });
  const rotate = group
    .command('rotate-token')
    .description('create a new token; running workers and commands switch to it automatically')
    .option(
      '--grace-minutes <n>',
      'how long the previous token stays valid; 0 after a leak',
      decimalNumber('the time', 0),
      10,
    )
    .addHelpText('after', examples('torc server rotate-token', 'torc server rotate-token --grace-minutes 0'));
  act(rotate, async (_, self) => {
    const { rotateToken } = await import('../actions/server.ts');
    return (context) => rotateToken(context, self.opts<{ graceMinutes: number }>().graceMinutes);
  });
  const metrics = group
    .command('metrics-token')
    .description('create a token that opens /metrics of the server and nothing else, for Prometheus')
    .option('--replace', 'create a new one; the previous one is refused at once')
    .addHelpText('after', examples('torc server metrics-token', 'torc server metrics-token --replace'));
  act(metrics, async (_, self) => {
    const { makeMetricsToken } = await import('../actions/server-metrics-token.ts');
    return (context) => makeMetricsToken(context, self.opts<{ replace?: boolean }>().replace === true);
  });
  const info = group
    .command('info')
    .description('show where the server runs; the exit code is 5 if none answers')
    .addHelpText('after', examples('torc server info', 'torc -F json server info | jq -r .hostname'));
  act(info, async () => {
    const { showServer } = await import('../actions/server.ts');
    return showServer;
  });
  const relay = group
    .command('relay', { hidden: true })
    .description('the end of a relay on a node, which the server starts')
    .option('--all-nodes', 'accept connections of other hosts')
    .addHelpText('after', examples('torc server relay'));
  act(relay, async (_, self) => {
    const { runRelay } = await import('../actions/relay.ts');
    return (context) => runRelay(context, self.opts<RelayOptions>());
  });
  const backup = group
    .command('backup')
    .description('back up the database to a file, even while it is in use, and verify the copy')
    .argument('<file>', 'backup file; it must not exist yet')
    .option('--force', 'replace an existing file')
    .addHelpText(
      'after',
      examples('torc server backup torc-backup.db', 'torc server backup --force ~/backups/torc.db'),
    );
  act(backup, async ([file = ''], self) => {
    const { backUp } = await import('../actions/server-maintenance.ts');
    return (context) => backUp(context, file, self.opts<{ force?: boolean }>().force === true);
  });
  const restore = group
    .command('restore')
    .description('replace the database with a backup, and keep the old one')
    .argument('<file>', 'a file made by torc server backup, or one from the folder backups in the server directory')
    .option('-d, --dry-run', 'check the backup and print what would be replaced')
    .addHelpText(
      'after',
      examples('torc server restore --dry-run ~/backups/torc.db', 'torc server restore ~/backups/torc.db'),
    )
    .addHelpText(
      'after',
      `
Nothing may use the database: stop the server first (torc server stop) and end every torc run. Workers in
allocations may keep running; what they report of jobs that the backup does not know is refused.`,
    );
  act(restore, async ([file = ''], self) => {
    const { restore: restoreDatabase } = await import('../actions/server-maintenance.ts');
    return (context) => restoreDatabase(context, file, self.opts<{ dryRun?: boolean }>().dryRun === true);
  });
  const prune = group
    .command('prune')
    .description('remove what earlier runs of workflows and restored backups have left behind')
    .requiredOption('--older-than <duration>', 'only what is older than this, such as 90d', readable(parseDuration))
    .option('--events', 'events of earlier runs')
    .option('--attempts', 'also results of earlier runs that a later result of the same job has replaced')
    .option('--logs', 'what jobs wrote to stdout and stderr, in workflows that ended before that')
    .option('--replaced', 'databases that torc server restore has replaced')
    .option('-y, --yes', 'do not ask for confirmation')
    .option('-d, --dry-run', 'show what would be removed without removing it')
    .addHelpText(
      'after',
      examples(
        'torc server prune --older-than 90d --attempts --dry-run',
        'torc server prune --older-than 90d --events --yes',
        'torc server prune --older-than 180d --logs --dry-run',
      ),
    )
    .addHelpText(
      'after',
      `
Workflows that run, the last run of each workflow and the newest result of each job stay as they are. --logs removes
files of the last run too, but none of a workflow that has not ended, and none through a symbolic link. To remove whole
workflows: torc workflows delete KEY.`,
    );
  act(prune, async (_, self) => {
    const { prune: pruneDatabase } = await import('../actions/server-prune.ts');
    return (context) => pruneDatabase(context, self.opts<PruneOptions>());
  });
  const check = group
    .command('check')
    .description('check the database for problems, even while it is in use')
    .addHelpText('after', examples('torc server check', "torc -F json server check | jq -r '.problems[].message'"))
    .addHelpText(
      'after',
      `
Exit codes: 0 no problems, 4 problems (each is listed), 5 the database cannot be opened.`,
    );
  act(check, async () => {
    const { check: checkServer } = await import('../actions/server-maintenance.ts');
    return checkServer;
  });
  const openapi = group
    .command('openapi')
    .description('print the HTTP interface as an OpenAPI 3.1 document, for programs in other languages')
    .addHelpText('after', examples('torc server openapi > torc-openapi.json'))
    .addHelpText(
      'after',
      `
A running server also answers it at /v1/openapi.json. docs/http.md says how a program connects.`,
    );
  act(openapi, async () => {
    const { printOpenApi } = await import('../actions/server-openapi.ts');
    return printOpenApi;
  });
}
