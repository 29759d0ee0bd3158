/** `torc config ..`: the configuration files, and what they come to. */
import { type Command, Option } from 'commander';
import type { InitOptions } from '../actions/config.ts';
import { type Act, examples } from './declare.ts';

export function declareConfig(program: Command, act: Act): void {
  const group = program
    .command('config')
    .description('show and check the configuration files: account, partition, output directory and more');
  const show = group
    .command('show')
    .description('show each setting, its value and where that comes from')
    .addHelpText(
      'after',
      `
~/.config/torc/config.toml is read first, then ./torc.toml, environment variables and options: the last one wins.
${examples('torc config show', "torc -F json config show | jq '.settings[] | select(.value != null)'").trimStart()}`,
    );
  act(show, async () => (await import('../actions/config.ts')).showConfig);
  const init = group
    .command('init')
    .alias('create')
    .description('write a configuration file with every setting as a comment')
    .option('--user', 'write your own file, ~/.config/torc/config.toml (default)')
    .option('--local', 'write ./torc.toml, which counts in this directory')
    .addOption(new Option('--system', 'torc 1.0: a file for all users').hideHelp())
    .option('--force', 'replace an existing file')
    .addHelpText('after', examples('torc config init', 'torc config init --local'));
  act(init, async (_, self) => {
    const { initConfig } = await import('../actions/config.ts');
    return (context) => initConfig(context, self.opts<InitOptions>());
  });
  const check = group
    .command('check')
    .alias('validate')
    .description('check the configuration files; exits with 2 when something is wrong')
    .addHelpText('after', examples('torc config check'));
  act(check, async () => (await import('../actions/config.ts')).checkConfigFiles);
  const paths = group
    .command('paths')
    .description('show where the configuration files are, and which of them are used')
    .addHelpText('after', examples('torc config paths', 'cat $(torc -F json config paths | jq -r ".files[0].path")'));
  act(paths, async () => (await import('../actions/config.ts')).showPaths);
}
