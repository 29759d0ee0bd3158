/** `torc completion`: a script that teaches a shell the commands and options. */
import type { Command } from 'commander';
import { type Act, examples } from './declare.ts';

export function declareCompletion(program: Command, act: Act): void {
  const command = program
    .command('completion')
    .description('print a completion script for a shell')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      examples(
        'source <(torc completion bash)                              # in ~/.bashrc',
        'source <(torc completion zsh)                               # in ~/.zshrc, after compinit',
        'torc completion fish > ~/.config/fish/completions/torc.fish # once',
      ),
    );
  act(command, async ([shell = '']) => {
    const { completionScript } = await import('../output/completion-script.ts');
    return async (context) => {
      await context.terminal.out(completionScript(program, shell));
    };
  });
}
