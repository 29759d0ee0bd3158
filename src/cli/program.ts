/** The tree of commands, and the way from a command line to its action. */
import { Command, CommanderError, Help, Option } from 'commander';
import { type Environment, environment } from '../base/config.ts';
import { exitCodes, TorcError } from '../base/errors.ts';
import { version } from '../base/version.ts';
import { type Act, type Declare, examples, forEachCommand } from './commands/declare.ts';
import { groupCommands } from './commands/help-groups.ts';
import { type ContextParts, createContext, isJsonAsked, note } from './context/context.ts';
import { type FoundSettings, foundSettings } from './context/found-settings.ts';
import { pasteable } from './context/pasteable.ts';
import { refusedAutoSize } from './input/auto-size-options.ts';
import { namedCommand } from './input/command-words.ts';
import { withoutOlderLetters } from './input/older-letters.ts';
import { addGlobalOptions, firstOperand, globalHelp, globalOptionsOf } from './input/options.ts';
import { translated } from './input/translate-words.ts';
import { brokenParagraphs, helpFormat, helpWidth } from './output/help-format.ts';

/** Commands of `torc workflows` that are typed without the group. */
const shortForms = ['create', 'start', 'list', 'pause', 'resume', 'cancel', 'restart', 'recover', 'delete'];

/** The groups in the order of the help; a command line loads only its own. */
const groups: readonly (readonly [names: readonly string[], load: () => Promise<Declare>])[] = [
  [['run'], async () => (await import('./commands/run.ts')).declareRun],
  [['exec'], async () => (await import('./commands/exec.ts')).declareExec],
  [['example'], async () => (await import('./commands/example.ts')).declareExample],
  [['import-spec'], async () => (await import('./commands/import-spec.ts')).declareImportSpec],
  [['submit'], async () => (await import('./commands/submit.ts')).declareSubmit],
  [shortForms, async () => (await import('./commands/short-forms.ts')).declareShortForms],
  [['clone', 'rerun'], async () => (await import('./commands/copies.ts')).declareCopies],
  [['status', 'tui', 'watch', 'wait', 'why'], async () => (await import('./commands/status.ts')).declareStatus],
  [['dash'], async () => (await import('./commands/dash.ts')).declareDash],
  [['mcp'], async () => (await import('./commands/mcp.ts')).declareMcp],
  [['rerun-failed'], async () => (await import('./commands/workflows-restart.ts')).declareRerunFailed],
  [['workflows'], async () => (await import('./commands/workflows.ts')).declareWorkflows],
  [['jobs'], async () => (await import('./commands/jobs.ts')).declareJobs],
  [['results', 'compute-nodes', 'events'], async () => (await import('./commands/lists.ts')).declareLists],
  [['complete'], async () => (await import('./commands/complete.ts')).declareComplete],
  [['logs'], async () => (await import('./commands/logs.ts')).declareLogs],
  [['files'], async () => (await import('./commands/files.ts')).declareFiles],
  [['actions'], async () => (await import('./commands/actions.ts')).declareActions],
  [['notifications'], async () => (await import('./commands/notifications.ts')).declareNotifications],
  [['user-data'], async () => (await import('./commands/user-data.ts')).declareUserData],
  [
    ['resource-requirements'],
    async () => (await import('./commands/resource-requirements.ts')).declareResourceRequirements,
  ],
  [['schedules'], async () => (await import('./commands/schedules.ts')).declareSchedules],
  [['generators'], async () => (await import('./commands/generators.ts')).declareGenerators],
  [['limits'], async () => (await import('./commands/limits.ts')).declareLimits],
  [['hpc', 'slurm'], async () => (await import('./commands/hpc-slurm.ts')).declareHpcSlurm],
  [['reports'], async () => (await import('./commands/reports.ts')).declareReports],
  [['graphs'], async () => (await import('./commands/graphs.ts')).declareGraphs],
  [['config'], async () => (await import('./commands/config.ts')).declareConfig],
  [['docs'], async () => (await import('./commands/docs.ts')).declareDocs],
  [['doctor'], async () => (await import('./commands/doctor.ts')).declareDoctor],
  [['server'], async () => (await import('./commands/server.ts')).declareServer],
];

/** Runs one command line (without `node` and the program's path); returns the exit code or throws TorcError. */
export async function runProgram(given: readonly string[], parts: ContextParts): Promise<number> {
  const typed = translated(given);
  let words: readonly string[] = typed;
  let exitCode = 0;
  const act: Act = (command, load) => {
    command.action(async (...given: unknown[]) => {
      const options = globalOptionsOf(command);
      if (options.version === true) {
        await parts.terminal.out(`${version()}\n`);
        return;
      }
      const operands = given
        .slice(0, -2)
        .flat()
        .filter((word): word is string => typeof word === 'string');
      const action = await load(operands, command);
      const { settings, warnings } = await settingsFor(command, parts.env ?? environment());
      const context = createContext(options, { ...parts, settings, words, isDryRun: command.opts().dryRun === true });
      for (const warning of warnings) note(context, warning, 'warning');
      try {
        exitCode = (await action(context)) ?? 0;
      } catch (error) {
        throw pasteable(error, context);
      }
    });
  };
  const printed: string[] = [];
  const program = await declareProgram(act, firstOperand(typed), parts.terminal.columns());
  captureOutput(program, (text) => printed.push(brokenParagraphs(text, helpWidth(parts.terminal.columns()))));
  try {
    if (isVersionAsked(words)) printed.push(`${version()}\n`);
    else {
      words = withoutOlderLetters(await namedCommand(typed, program, () => declareProgram(() => {})));
      await program.parseAsync([...words], { from: 'user' });
    }
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.help') {
      if (isJsonAsked(words)) throw new TorcError('usage', 'no command was given', `${pathOf(words, program)} --help`);
      // the help is the error message
      parts.terminal.err(printed.join(''));
      return exitCodes.usage;
    }
    if (error.exitCode !== 0) throw usageError(error, words, program);
  }
  await parts.terminal.out(printed.join(''));
  return exitCode;
}

/** Commands that work whatever configuration files say: those that look at them, and workers. */
const withoutSettings = ['config', 'docs', 'doctor', 'completion', 'run-jobs', 'relay'];

async function settingsFor(command: Command, env: Environment): Promise<FoundSettings> {
  if (command.opts().worker === true) return { settings: {}, warnings: [] };
  for (let at: Command | null = command; at !== null; at = at.parent) {
    if (withoutSettings.includes(at.name())) return { settings: {}, warnings: [] };
  }
  return foundSettings(env);
}

/** `--version` counts wherever no command runs, such as `torc --version` and `torc jobs --version`. */
function isVersionAsked(words: readonly string[]): boolean {
  // exec is followed by the words of another program
  const isOwn = words[0] !== 'exec' || words.length === 2;
  return isOwn && words.at(-1) === '--version' && words.slice(0, -1).every((word) => !word.startsWith('-'));
}

/** The tree, or only the group of the command `only`; `act` receives what each command does. */
export async function declareProgram(act: Act, only: string | null = null, columns = 80): Promise<Command> {
  const program = new Command('torc')
    .description('Runs many jobs in a few Slurm allocations, or on this machine, and keeps every result.')
    .usage('[options] COMMAND')
    .addHelpText(
      'after',
      examples(
        'torc example word-count             # torc example lists them all',
        'torc run word-count/workflow.yaml',
        'torc jobs list last --failed',
        'torc jobs --help                    # the commands of a group',
      ),
    );
  const named = groups.filter(([names]) => only !== null && names.includes(only));
  for (const [, load] of named.length === 0 ? groups : named) (await load())(program, act);
  if (named.length === 0) (await import('./commands/completion.ts')).declareCompletion(program, act);
  addGlobalOptions(program);
  forEachCommand(program, (command) => {
    if (command.commands.length > 0) command.enablePositionalOptions();
    command.showSuggestionAfterError(true).exitOverride();
    if (command !== program) command.helpCommand(false);
    command.addHelpOption(new Option('-h, --help', 'print this help').helpGroup(globalHelp));
    command.configureHelp({
      ...helpFormat(columns, globalHelp),
      subcommandTerm: termOf,
      optionDescription: descriptionOf,
      ...(command === program ? { subcommandTerm: (child: Command) => child.name() } : {}),
    });
  });
  groupCommands(program);
  return program;
}

/** A command in the help of its group: its name and arguments. */
function termOf(command: Command): string {
  const needed = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  return [command.name(), ...needed].join(' ');
}

/** Commander's description, without the default of an option that may be repeated: an empty list says nothing. */
function descriptionOf(option: Option): string {
  const isList = Array.isArray(option.defaultValue);
  return isList ? option.description : new Help().optionDescription(option);
}

function captureOutput(program: Command, write: (text: string) => void): void {
  forEachCommand(program, (command) => {
    command.configureOutput({ writeOut: write, writeErr: write, outputError: () => {} });
  });
}

/** Commander's error as a TorcError: its sentence, and the nearest word as the hint. */
function usageError(error: CommanderError, words: readonly string[], program: Command): TorcError {
  const [sentence = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const nearest = /\(Did you mean (?:one of )?(.+)\?\)/.exec(rest.join(' '))?.[1];
  const path = pathOf(words, program);
  const refused = refusedAutoSize(sentence, path);
  if (refused !== null) return refused;
  const help = `${path} --help`;
  return new TorcError('usage', sentence, nearest === undefined ? help : `Did you mean ${nearest}? See ${help}`);
}

/** The part of the command line that names an existing command: `--help` can follow it. */
function pathOf(words: readonly string[], program: Command): string {
  let at = program;
  const path = ['torc'];
  for (const word of words) {
    const child = at.commands.find((command) => command.name() === word || command.aliases().includes(word));
    if (child === undefined) continue;
    path.push(child.name());
    at = child;
  }
  return path.join(' ');
}
