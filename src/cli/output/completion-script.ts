/** Completion scripts for shells, made from the tree of commands; completing does not start torc. */
import type { Command, Option } from 'commander';
import { TorcError } from '../../base/errors.ts';

interface Word {
  text: string;
  description: string;
}

/** What can follow one command. */
interface Place {
  /** `workflows create`, or '' for `torc` itself. */
  path: string;
  commands: Word[];
  options: (Word & { takesValue: boolean })[];
  takesFile: boolean;
}

/** The script for a shell; throws TorcError 'usage' for an unknown shell. */
export function completionScript(program: Command, shell: string): string {
  const places = placesOf(program, '');
  switch (shell) {
    case 'bash':
      return bashScript(places);
    case 'zsh':
      return zshScript(places);
    case 'fish':
      return fishScript(places);
    default:
      throw new TorcError('usage', `there is no completion for '${shell}'`, 'Choose one of: bash, zsh, fish');
  }
}

function placesOf(command: Command, path: string): Place[] {
  const help = command.createHelp();
  const children = help.visibleCommands(command);
  const place: Place = {
    path,
    commands: children.map((child) => ({ text: child.name(), description: child.description() })),
    options: help.visibleOptions(command).flatMap((option) => optionWords(option)),
    takesFile: command.registeredArguments.some((argument) => ['spec', 'file'].includes(argument.name())),
  };
  return [place, ...children.flatMap((child) => placesOf(child, `${path} ${child.name()}`.trim()))];
}

function optionWords(option: Option): Place['options'] {
  const takesValue = option.required || option.optional;
  return [option.short, option.long]
    .filter((text) => text !== undefined)
    .map((text) => ({ text, description: option.description, takesValue }));
}

/** All options that take a value, so that the value is not mistaken for a command. */
function valueOptions(places: readonly Place[]): string[] {
  return [...new Set(places.flatMap((place) => place.options.filter((o) => o.takesValue).map((o) => o.text)))];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The command at the cursor, found by walking over the words before it. */
function walk(places: readonly Place[], words: string, count: string): string {
  const known = places.filter((place) => place.path !== '').map((place) => quoted(place.path));
  return `  local place='' word index skip=0
  for (( index = ${count} )); do
    word="\${${words}[index]}"
    if (( skip )); then skip=0; continue; fi
    case "$word" in
      ${valueOptions(places).join('|')}) skip=1; continue ;;
      -*) continue ;;
    esac
    case "\${place:+$place }$word" in
      ${known.join('|')}) place="\${place:+$place }$word" ;;
    esac
  done`;
}

function bashScript(places: readonly Place[]): string {
  const cases = places.map((place) => {
    const words = [...place.commands, ...place.options].map((word) => word.text).join(' ');
    return `    ${quoted(place.path)}) words=${quoted(words)}; files=${place.takesFile ? 1 : 0} ;;`;
  });
  return `# Completion of torc for bash: source <(torc completion bash)
_torc() {
${walk(places, 'COMP_WORDS', '1; index < COMP_CWORD; index++')}
  local words='' files=0 current="\${COMP_WORDS[COMP_CWORD]}"
  if (( skip )); then COMPREPLY=( $(compgen -f -- "$current") ); return; fi
  case "$place" in
${cases.join('\n')}
  esac
  COMPREPLY=( $(compgen -W "$words" -- "$current") )
  if (( files )) && [[ $current != -* ]]; then COMPREPLY+=( $(compgen -f -- "$current") ); fi
}
complete -o filenames -F _torc torc
`;
}

function zshScript(places: readonly Place[]): string {
  const item = (word: Word) => quoted(`${word.text.replaceAll(':', '\\:')}:${word.description.replaceAll(':', '\\:')}`);
  const cases = places.map(
    (place) => `    ${quoted(place.path)})
      commands=(${place.commands.map(item).join(' ')})
      options=(${place.options.map(item).join(' ')})
      files=${place.takesFile ? 1 : 0} ;;`,
  );
  return `#compdef torc
# Completion of torc for zsh: source <(torc completion zsh)
_torc() {
${walk(places, 'words', '2; index < CURRENT; index++')}
  local -a commands options
  local files=0
  if (( skip )); then _files; return; fi
  case "$place" in
${cases.join('\n')}
  esac
  if [[ $PREFIX == -* ]]; then _describe option options; return; fi
  (( \${#commands} )) && _describe command commands
  (( files )) && _files
  return 0
}
compdef _torc torc
`;
}

function fishScript(places: readonly Place[]): string {
  const lines = places.flatMap((place) => {
    const here = `-n ${quoted(`test (__torc_path) = ${place.path === '' ? '""' : `"${place.path}"`}`)}`;
    const commands = place.commands.map(
      (word) => `complete -c torc -f ${here} -a ${word.text} -d ${quoted(word.description)}`,
    );
    const options = place.options.map((option) => {
      const letter = option.text.startsWith('--') ? `-l ${option.text.slice(2)}` : `-s ${option.text.slice(1)}`;
      return `complete -c torc ${here} ${letter}${option.takesValue ? ' -r' : ''} -d ${quoted(option.description)}`;
    });
    return [...commands, ...options];
  });
  const known = places.filter((place) => place.path !== '').map((place) => quoted(place.path));
  return `# Completion of torc for fish: torc completion fish > ~/.config/fish/completions/torc.fish
function __torc_path
  set -l path ''
  set -l skip 0
  for word in (commandline -opc)[2..-1]
    if test $skip = 1
      set skip 0
      continue
    end
    if contains -- $word ${valueOptions(places).join(' ')}
      set skip 1
      continue
    end
    set -l longer (string trim -- "$path $word")
    if contains -- $longer ${known.join(' ')}
      set path $longer
    end
  end
  echo $path
end
${lines.join('\n')}
`;
}
