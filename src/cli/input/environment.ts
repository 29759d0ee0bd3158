/**
 * Environment variables on the command line: `--env NAME=VALUE`, or `--env NAME` for the value that the variable has here,
 * which no list of processes shows.
 */
import { Option } from 'commander';
import { TorcError } from '../../base/errors.ts';
import { ownPrefix, variableName, variableNameRule } from '../../model/launch.ts';
import { quoted } from '../../model/spec/names.ts';
import type { Context } from '../context/context.ts';

export interface EnvironmentOptions {
  /** Null: the value that the variable has here. */
  env?: Readonly<Record<string, string | null>>;
  unsetEnv?: readonly string[];
}

export function envOption(what: string): Option {
  return new Option('--env <name=value>', what).argParser(addVariable);
}

export function unsetEnvOption(): Option {
  return new Option('--unset-env <name>', 'remove an environment variable; may be repeated').argParser(
    (name: string, before: readonly string[] = []) => [...before, checkedName(name)],
  );
}

function addVariable(
  text: string,
  before: Readonly<Record<string, string | null>> = {},
): Record<string, string | null> {
  const [, name = '', value] = /^([^=]*)(?:=([\s\S]*))?$/.exec(text) ?? [];
  return { ...before, [checkedName(name)]: value ?? null };
}

function checkedName(name: string): string {
  if (!variableName.test(name)) throw new TorcError('usage', `${quoted(name)}: ${variableNameRule}`);
  if (!name.startsWith(ownPrefix)) return name;
  throw new TorcError('usage', `${name} would have no effect`, `torc sets ${ownPrefix}.. itself.`);
}

/** The variables with their values; throws TorcError for one that is not set here. */
export function givenEnvironment({ env: here }: Context, { env = {} }: EnvironmentOptions): Record<string, string> {
  const given = Object.entries(env).map(([name, value]): [string, string] => {
    const text = value ?? here[name];
    if (text !== undefined) return [name, text];
    throw new TorcError('usage', `the variable ${name} is not set here`, `Give its value: --env ${name}=VALUE`);
  });
  return Object.fromEntries(given);
}

/** As changes of what is stored: null for one to remove. */
export function environmentChanges(
  context: Context,
  options: EnvironmentOptions,
): { env?: Record<string, string | null> } {
  const { env = {}, unsetEnv = [] } = options;
  const both = unsetEnv.find((name) => Object.hasOwn(env, name));
  if (both !== undefined) {
    throw new TorcError('usage', `--env and --unset-env both name ${both}`, 'Give only one of them for a variable.');
  }
  const changes = {
    ...givenEnvironment(context, options),
    ...Object.fromEntries(unsetEnv.map((name) => [name, null])),
  };
  return Object.keys(changes).length === 0 ? {} : { env: changes };
}
