/** What a function of ColonyOS runs, as a command of a shell. */
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { FunctionSpec } from './colonies-format.ts';
import { literalWord } from './shell-words.ts';
import type { Remarks } from './translation.ts';

/** Where a function is, and who hears about it. */
export interface FunctionPlace {
  path: SpecPath;
  findings: Findings;
  remarks: Remarks;
}

/** Keys of `kwargs` and `env` that say what to run instead of being passed on. */
const commandKeys = new Set(['cmd', 'args', 'docker-image']);
const codeKeys = new Set(['code', 'args_spec']);

/**
 * Three kinds of functions: with code of its Python library, with a command (`kwargs.cmd`) in a container or not, and a
 * program of the function's name, which every executor has its own idea of.
 */
export function commandOf(spec: FunctionSpec, place: FunctionPlace): string {
  const environment = environmentOf(spec, place);
  return [...environment, ...wordsOf(spec, place)].join(' ');
}

function wordsOf(spec: FunctionSpec, place: FunctionPlace): string[] {
  const { funcname, args, env, kwargs } = spec;
  if (env?.code !== undefined) return pythonCall(spec, env.code, place);
  if (typeof kwargs?.cmd === 'string') return shellCommand(kwargs.cmd, spec, place);
  tellOfKwargs(spec, new Set(), place);
  return [funcname, ...(args ?? []).map(argumentText)].map(literalWord);
}

/** Texts as they are, everything else as JSON. */
function argumentText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Executors join the words of a command with spaces and give them to a shell. */
function shellCommand(cmd: string, spec: FunctionSpec, place: FunctionPlace): string[] {
  const { args, 'docker-image': image } = spec.kwargs ?? {};
  tellOfKwargs(spec, commandKeys, place);
  const line = [cmd, ...(Array.isArray(args) ? args : []).map(argumentText)].join(' ');
  const container = typeof image === 'string' && image !== '' ? ['apptainer', 'exec', `docker://${image}`] : [];
  return [...container, 'sh', '-c', line].map(literalWord);
}

/** Calls the function as an executor of Python functions does: what its upstreams returned comes instead of its args. */
function pythonCall(spec: FunctionSpec, code: string, { path, findings }: FunctionPlace): string[] {
  const { funcname, args, kwargs } = spec;
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(funcname)) {
    findings.add([...path, 'funcname'], () => 'is not the name of a Python function');
  }
  const source = Buffer.from(code, 'base64').toString('utf8');
  if (!source.includes(`def ${funcname}(`)) {
    findings.add([...path, 'env', 'code'], () => `is not the code, in base64, of a Python function ${funcname}`);
  }
  const own = JSON.stringify(JSON.stringify({ args: args ?? [], kwargs: kwargs ?? {} }));
  const program = [
    source.trimEnd(),
    '',
    'import json, os',
    `own = json.loads(${own})`,
    `inputs = json.load(open(os.environ["TORC_INPUTS_FILE"]))["args"]`,
    `value = ${funcname}(*(inputs or own["args"]), **own["kwargs"], ctx={})`,
    '# a tuple is several values, a list is one',
    'if value is not None:',
    '    json.dump([value] if isinstance(value, list) else value, open(os.environ["TORC_RESULT_FILE"], "w"))',
  ].join('\n');
  return ['python3', '-c', literalWord(program)];
}

function environmentOf({ env }: FunctionSpec, { path, findings }: FunctionPlace): string[] {
  const isCode = env?.code !== undefined;
  const given = Object.entries(env ?? {}).filter(([name]) => !isCode || !codeKeys.has(name));
  return given.map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      findings.add([...path, 'env', name], () => 'is not the name of a variable', 'key');
    }
    return `${name}=${literalWord(value)}`;
  });
}

function tellOfKwargs({ kwargs }: FunctionSpec, known: ReadonlySet<string>, { path, remarks }: FunctionPlace): void {
  for (const [key, value] of Object.entries(kwargs ?? {})) {
    if (known.has(key) || value === null || value === '') continue;
    remarks.leaveOut([...path, 'kwargs', key], 'a command has no named arguments: write them into args');
  }
}
