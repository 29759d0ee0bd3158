/**
 * Completion scripts for shells, made from the tree of commands. Commands, options, columns and fixed words are in the
 * script; only names and keys are asked for, with `torc complete`.
 */
import type { Command } from 'commander';
import { TorcError } from '../../base/errors.ts';
import { columnsOfLists, type Kind, type Place, placesOf, type Word } from './completion-places.ts';

/** The script for a shell; throws TorcError 'usage' for an unknown shell. */
export function completionScript(program: Command, shell: string): string {
  const places = placesOf(program);
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

/** All options that take a value, so that the value is not mistaken for a command. */
function valueOptions(places: readonly Place[]): string[] {
  return [...new Set(places.flatMap((place) => place.options.filter((o) => o.kind !== null).map((o) => o.text)))];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The option and the place of each kind of value: `jobs list --sort-by`. What is anything is left out. */
function kindsOfValues(places: readonly Place[]): Map<Kind, string[]> {
  const found = new Map<Kind, string[]>();
  for (const { path, options } of places) {
    for (const { text, kind } of options) {
      if (kind === null || kind === 'any') continue;
      found.set(kind, [...(found.get(kind) ?? []), `${path} ${text}`.trim()]);
    }
  }
  return found;
}

/** The words for each place and kind as the branches of a `case` of bash and zsh. */
function branches(entries: Iterable<readonly [patterns: readonly string[], body: string]>): string {
  return [...entries].map(([patterns, body]) => `    ${patterns.map(quoted).join('|')}) ${body} ;;`).join('\n');
}

/** Functions that bash and zsh share: where the cursor is, and what a value is. */
function shared(places: readonly Place[], words: string, count: string): string {
  const known = places.filter((place) => place.path !== '').map((place) => place.path);
  const kinds = [...kindsOfValues(places)].map(([kind, patterns]) => [patterns, `kind=${quoted(kind)}`] as const);
  const lists = [...columnsOfLists()];
  const columns = lists.map(([list, names]) => [[list], `printf '%s\\n' ${[...names.keys()].join(' ')}`] as const);
  const values = lists.flatMap(([list, names]) =>
    [...names].flatMap(([name, options]) =>
      options.length === 0 ? [] : [[[`${list} ${name}`], `printf '%s\\n' ${options.join(' ')}`] as const],
    ),
  );
  return `# where the cursor is: the command, and the option whose value is wanted
_torc_place() {
  place='' option=''
  local word index
  for (( index = ${count} )); do
    word="\${${words}[index]}"
    if [[ -n $option ]]; then option=''; continue; fi
    case "$word" in
      ${valueOptions(places).join('|')}) option="$word"; continue ;;
      -*) continue ;;
    esac
    case "\${place:+$place }$word" in
      ${known.map(quoted).join('|')}) place="\${place:+$place }$word" ;;
    esac
  done
}
_torc_kind() {
  kind='any'
  case "\${place:+$place }$option" in
${branches(kinds)}
  esac
}
_torc_columns() {
  case "$1" in
${branches(columns)}
  esac
}
_torc_values() {
  case "$1 $2" in
${branches(values)}
  esac
}
`;
}

function bashScript(places: readonly Place[]): string {
  const cases = places.map((place) => {
    const [commands, options] = [place.commands, place.options].map((words) => words.map(({ text }) => text).join(' '));
    return [
      [place.path],
      `words=${quoted(commands ?? '')}; options=${quoted(options ?? '')}; kinds=(${place.kinds.map(quoted).join(' ')})`,
    ] as const;
  });
  return `# Completion of torc for bash: source <(torc completion bash)
${shared(places, 'COMP_WORDS', '1; index < COMP_CWORD; index++')}
_torc_offer() {
  local kind="$1" current="$2" value list="\${1#* }"
  case "$kind" in
    file) compopt -o filenames 2>/dev/null
      while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -f -- "$current") ;;
    words\\ *) COMPREPLY+=( $(compgen -W "$list" -- "$current") ) ;;
    live\\ *)
      while IFS=$'\\t' read -r value _; do COMPREPLY+=( "$(printf '%q' "$value")" )
      done < <(torc complete "$list" "$current" -- "\${COMP_WORDS[@]:1}" 2>/dev/null) ;;
    columns\\ *) local before=''
      [[ $current == *,* ]] && before="\${current%,*},"
      COMPREPLY+=( $(compgen -P "$before" -W "$(_torc_columns "$list")" -- "\${current##*,}") ) ;;
    filter\\ *)
      # bash makes words of their own of = and what follows
      if [[ $current == '=' ]]; then COMPREPLY+=( $(_torc_values "$list" "\${COMP_WORDS[COMP_CWORD-1]}") )
      else COMPREPLY+=( $(compgen -S '=' -W "$(_torc_columns "$list")" -- "$current") ); compopt -o nospace 2>/dev/null
      fi ;;
  esac
}
_torc() {
  local place option kind words='' options='' current="\${COMP_WORDS[COMP_CWORD]}"
  local -a kinds=()
  COMPREPLY=()
  _torc_place
  if [[ -z $option && $current == '=' || "\${COMP_WORDS[COMP_CWORD-1]}" == '=' ]]; then
    local at=$(( COMP_CWORD - 2 ))
    [[ $current == '=' ]] && at=$(( COMP_CWORD - 1 ))
    option="\${COMP_WORDS[at-1]}"; _torc_kind
    [[ $current == '=' ]] && current=''
    case "$kind" in
      filter\\ *) COMPREPLY=( $(compgen -W "$(_torc_values "\${kind#* }" "\${COMP_WORDS[at]}")" -- "$current") ); return ;;
    esac
    option=''
  fi
  if [[ -n $option ]]; then _torc_kind; _torc_offer "$kind" "$current"; return; fi
  case "$place" in
${branches(cases)}
  esac
  [[ $current == -* ]] && words="$options"
  COMPREPLY=( $(compgen -W "$words" -- "$current") )
  [[ $current == -* ]] && return
  for kind in "\${kinds[@]}"; do _torc_offer "$kind" "$current"; done
}
complete -F _torc torc
`;
}

function zshScript(places: readonly Place[]): string {
  const item = (word: Word) => quoted(`${word.text.replaceAll(':', '\\:')}:${word.description.replaceAll(':', '\\:')}`);
  const cases = places.map((place) => {
    const lists = `commands=(${place.commands.map(item).join(' ')}) options=(${place.options.map(item).join(' ')})`;
    return [[place.path], `${lists} kinds=(${place.kinds.map(quoted).join(' ')})`] as const;
  });
  return `#compdef torc
# Completion of torc for zsh: source <(torc completion zsh)
${shared(places, 'words', '2; index < CURRENT; index++')}
_torc_offer() {
  local kind="$1" list="\${1#* }" value description
  local -a found shown
  case "$kind" in
    file) _files ;;
    words\\ *) compadd -- \${(s: :)list} ;;
    live\\ *)
      while IFS=$'\\t' read -r value description; do
        found+=("$value"); shown+=("$value  -- $description")
      done < <(torc complete "$list" "\${(Q)PREFIX}" -- "\${(@)words[2,-1]}" 2>/dev/null)
      compadd -l -d shown -a -- found ;;
    columns\\ *) compset -P '*,'; compadd -S '' -- \${(f)"$(_torc_columns "$list")"} ;;
    filter\\ *)
      if [[ $PREFIX == *=* ]]; then value="\${PREFIX%%=*}"; compset -P '*='; compadd -- \${(f)"$(_torc_values "$list" "$value")"}
      else compadd -S '=' -- \${(f)"$(_torc_columns "$list")"}
      fi ;;
  esac
}
_torc() {
  local place option kind
  local -a commands options kinds
  _torc_place
  if [[ -n $option ]]; then _torc_kind; _torc_offer "$kind"; return; fi
  case "$place" in
${branches(cases)}
  esac
  if [[ $PREFIX == -* ]]; then _describe option options; return; fi
  (( \${#commands} )) && _describe command commands
  for kind in "\${kinds[@]}"; do _torc_offer "$kind"; done
  return 0
}
compdef _torc torc
`;
}

function fishScript(places: readonly Place[]): string {
  const line = ({ text, description }: Word) => quoted(`${text}\t${description}`.replaceAll('\\', '\\\\'));
  const pathCases = places.map(
    ({ path, commands, options, kinds }) => `    case ${quoted(path)}
      printf '%s\\n' ${commands.map(line).join(' ')}
      if string match -q -- '-*' $current; printf '%s\\n' ${options.map(line).join(' ')}; end
      for kind in ${kinds.map(quoted).join(' ')}; __torc_offer $kind $current; end`,
  );
  const known = places.filter((place) => place.path !== '').map((place) => quoted(place.path));
  const kinds = [...kindsOfValues(places)].map(
    ([kind, patterns]) => `    case ${patterns.map(quoted).join(' ')}\n      __torc_offer ${quoted(kind)} $current`,
  );
  const lists = [...columnsOfLists()];
  const columns = lists.map(([list, names]) => `    case ${list}\n      printf '%s\\n' ${[...names.keys()].join(' ')}`);
  const values = lists.flatMap(([list, names]) =>
    [...names].flatMap(([name, options]) =>
      options.length === 0 ? [] : [`    case ${quoted(`${list} ${name}`)}\n      printf '%s\\n' ${options.join(' ')}`],
    ),
  );
  return `# Completion of torc for fish: torc completion fish > ~/.config/fish/completions/torc.fish
function __torc_columns
  switch $argv[1]
${columns.join('\n')}
  end
end
function __torc_values
  switch "$argv[1] $argv[2]"
${values.join('\n')}
  end
end
function __torc_offer
  set -l kind (string split -m 1 ' ' -- $argv[1])
  set -l current $argv[2]
  switch $kind[1]
    case file
      __fish_complete_path $current
    case words
      string split ' ' -- $kind[2]
    case live
      torc complete $kind[2] "$current" -- (commandline -opc)[2..-1] 2>/dev/null
    case columns
      set -l before (string replace -r '[^,]*$' '' -- $current)
      for column in (__torc_columns $kind[2]); echo $before$column; end
    case filter
      if string match -q '*=*' -- $current
        set -l column (string replace -r '=.*' '' -- $current)
        for value in (__torc_values $kind[2] $column); echo $column=$value; end
      else
        for column in (__torc_columns $kind[2]); echo $column=; end
      end
  end
end
function __torc_complete
  set -l place ''
  set -l option ''
  set -l current (commandline -ct)
  for word in (commandline -opc)[2..-1]
    if test -n "$option"
      set option ''
    else if contains -- $word ${valueOptions(places).join(' ')}
      set option $word
    else
      set -l longer (string trim -- "$place $word")
      if contains -- $longer ${known.join(' ')}
        set place $longer
      end
    end
  end
  if test -n "$option"
    switch (string trim -- "$place $option")
${kinds.join('\n')}
    end
    return
  end
  switch "$place"
${pathCases.join('\n')}
  end
end
complete -c torc -f -a '(__torc_complete)'
`;
}
