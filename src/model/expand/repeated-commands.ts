/** Jobs of commands that are given on a command line: once each, with the values of parameters, or once for each entry. */
import { shellWord } from '../../base/text.ts';
import type { Environment } from '../launch.ts';
import type { Sweep } from '../spec/parameters.ts';
import type { Entries, Entry } from './entries.ts';
import { numberedName, type PlainJob } from './plain-jobs.ts';
import { Template } from './template.ts';

/** Shell text, or the words of a command, which get them as they are. */
export type GivenCommand = string | readonly string[];

export interface RepeatedJobs {
  numJobs: number;
  jobs: Iterable<PlainJob>;
}

/**
 * One job for each command and each combination of values; all jobs of the first command come first. Throws
 * ParameterProblem for a format that does not fit the values.
 */
export function sweptJobs(commands: readonly GivenCommand[], sweep: Sweep | null): RepeatedJobs {
  const templates = commands.map((command) => textOf(command, sweep));
  const count = sweep?.count ?? 1;
  const numJobs = commands.length * count;
  return {
    numJobs,
    jobs: {
      *[Symbol.iterator]() {
        let number = 0;
        for (const text of templates) {
          for (let instance = 0; instance < count; instance += 1) {
            number += 1;
            yield { name: numberedName(number, numJobs), command: text(instance) };
          }
        }
      },
    },
  };
}

/** Names of the parameters that no command uses. */
export function unusedParameters(commands: readonly GivenCommand[], sweep: Sweep): string[] {
  const texts = commands.flatMap((command) => (typeof command === 'string' ? [command] : command));
  const used = new Set(texts.flatMap((text) => Template.of(text, sweep).parameters));
  return sweep.parameters.map(({ name }) => name).filter((name) => !used.has(name));
}

function textOf(command: GivenCommand, sweep: Sweep | null): (instance: number) => string {
  if (typeof command === 'string') {
    const template = Template.of(command, sweep);
    return (instance) => template.at(instance);
  }
  const templates = command.map((word) => Template.of(word, sweep));
  return (instance) => quotedCommand(templates.map((template) => template.at(instance)));
}

/** One job for each command and each entry, which it finds in its variables. */
export function entryJobs(commands: readonly GivenCommand[], entries: Entries): RepeatedJobs {
  const texts = commands.map((command) => (typeof command === 'string' ? command : quotedCommand(command)));
  const numJobs = commands.length * entries.count;
  return {
    numJobs,
    jobs: {
      *[Symbol.iterator]() {
        let number = 0;
        for (const text of texts) {
          for (const entry of entries) {
            number += 1;
            const name =
              texts.length === 1 ? numberedName(entry.id, entries.greatestId) : numberedName(number, numJobs);
            yield { name, command: text, env: variablesOf(entry) };
          }
        }
      },
    },
  };
}

function variablesOf({ id, text }: Entry): Environment {
  return text === null ? { TORC_TASK_ID: String(id) } : { TORC_TASK_ID: String(id), TORC_ENTRY: text };
}

/** Words with which a shell begins something else than a program. */
const shellKeywords: ReadonlySet<string> = new Set([
  ...['if', 'then', 'else', 'elif', 'fi', 'for', 'while', 'until', 'do', 'done', 'case', 'esac', 'in'],
  ...['function', 'select', 'time', 'coproc'],
]);

/** The command line by which a shell starts the first word with the others, each as it is. */
export function quotedCommand(words: readonly string[]): string {
  const [program = '', ...rest] = words;
  const isPlain = /^[A-Za-z0-9_./][A-Za-z0-9_./+-]*$/.test(program) && !shellKeywords.has(program);
  const first = isPlain ? program : `'${program.replaceAll("'", `'\\''`)}'`;
  return [first, ...rest.map(shellWord)].join(' ');
}
