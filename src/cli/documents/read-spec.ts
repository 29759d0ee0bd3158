/** Reads the SPEC of a command into a workflow that can be stored. */
import { homedir } from 'node:os';
import { basename, dirname, extname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { growthOfCreation, keepHeapSmall } from '../../base/heap.ts';
import { textsIn } from '../../base/text-files.ts';
import type { PathPlace } from '../../model/expand/file-paths.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { usualEvents } from '../../model/notification.ts';
import { quoted } from '../../model/spec/names.ts';
import { SpecError } from '../../model/spec/problems.ts';
import type { SpecSyntax } from '../../model/spec/source.ts';
import { cannotActAs, otherUser } from '../connection/other-user.ts';
import { type Context, note } from '../context/context.ts';
import { startProgress } from '../output/progress.ts';
import { cellText } from '../output/table.ts';
import {
  commandsHint,
  fileBytes,
  readBytes,
  shownName,
  specExtensions,
  specificationHint,
  standardInput,
} from './given-file.ts';

/** A commands file up to this size is read as one text, which is faster; a larger one line by line. */
const wholeTextBytes = 128 * 1024 * 1024;

/** A file of this size may take more than two seconds. */
const slowBytes = 8 * 1024 * 1024;

/** The requirements of each job of a commands file, and the name of the workflow, as typed. */
export interface CommandsNeeds {
  name?: string;
  cpus?: number;
  memory?: string;
  runtime?: string;
}

export interface ReadWorkflow {
  workflow: ExpandedWorkflow;
  /** Where the job of this number stands, as `FILE:LINE:COL`; undefined where that is not known. */
  placeOf?: ((job: number) => string) | undefined;
}

/**
 * A specification, or a commands file when `commands` is given or the name ends in `.txt`. Throws TorcError, also for `-U` of
 * another user, who would not own what is made of it.
 */
export async function readWorkflow(
  context: Context,
  path: string,
  commands: CommandsNeeds | null = null,
  syntax?: SpecSyntax,
): Promise<ReadWorkflow> {
  const other = otherUser(context);
  if (other !== null) throw cannotActAs(context, other);
  // reading is synchronous, so no timer can draw the line later
  const progress = startProgress(context, 0);
  const isCommands = commands !== null || (extname(path).toLowerCase() === '.txt' && syntax === undefined);
  const hint = isCommands ? commandsHint : specificationHint;
  if (path !== standardInput && fileBytes(path, hint) > slowBytes) progress.update(`reading ${cellText(path)}`);
  try {
    return isCommands
      ? withSettings(context, await readCommands(path, commands ?? {}), false)
      : await readOne(context, path, syntax);
  } finally {
    progress.clear();
  }
}

async function readOne(context: Context, path: string, syntax: SpecSyntax | undefined): Promise<ReadWorkflow> {
  const { readSpec } = await import('../../model/expand/read.ts');
  const { expandSpec } = await import('../../model/expand/expand.ts');
  const { notesOn } = await import('../../model/spec/without-effect.ts');
  keepHeapSmall(growthOfCreation);
  try {
    const place = pathPlace(context, path === standardInput ? '.' : dirname(path));
    const read = () => {
      const bytes = readBytes(path, specificationHint);
      return {
        numBytes: bytes.length,
        ...readSpec(bytes, { file: shownName(path), syntax, readText: place.readText }),
      };
    };
    const { spec, where, numBytes } = read();
    if (numBytes > slowBytes) collectGarbage();
    const workflow = expandSpec(spec, { file: shownName(path), where, place });
    noteOtherOwner(context, spec.user ?? null);
    const notes = notesOn(spec, shownName(path), where);
    const settled = withSettings(context, workflow, (spec.stdio ?? spec.execution_config?.stdio) != null);
    const placeOf = (job: number): string => {
      const [position] = where([{ path: workflow.pathOf?.(job) ?? [], at: 'value' }]);
      return `${shownName(path)}:${position?.line ?? 1}:${position?.column ?? 1}`;
    };
    return { placeOf, workflow: notes.length === 0 ? settled.workflow : { ...settled.workflow, notes } };
  } catch (error) {
    throw syntax === undefined ? explainCommands(error, path) : error;
  }
}

/** What a configuration file states counts where the specification says nothing. */
export function withSettings({ settings }: Context, workflow: ExpandedWorkflow, hasStdio: boolean): ReadWorkflow {
  const { stdio, notify } = settings;
  const target = notify === undefined || workflow.notifications !== undefined ? null : notify;
  const kind = target?.startsWith('/') === true ? 'webhook_file' : 'email';
  return {
    workflow: {
      ...workflow,
      ...(stdio === undefined || hasStdio ? {} : { stdio }),
      ...(target === null ? {} : { notifications: [{ events: usualEvents, kind, target, tokenFile: null }] }),
    },
  };
}

/** What a person creates is theirs, whoever wrote the specification. */
function noteOtherOwner(context: Context, named: string | null): void {
  if (named === null || named === context.user) return;
  note(context, `the specification names the user ${quoted(named)}; the workflow belongs to you (${context.user})`);
}

/** How many problems are shown of a file that may be none at all. */
const fewProblems = 3;

/** A file whose name does not say that it is a specification may be a commands file. */
function explainCommands(error: unknown, path: string): unknown {
  if (!(error instanceof SpecError) || specExtensions.includes(extname(path))) return error;
  // only a specification has places inside of its jobs
  if (error.problems.some((problem) => problem.path.startsWith('jobs['))) return error;
  const how = path === standardInput ? '' : ' give it a name that ends in .txt, or';
  const hint = `To read a file with one command on each line,${how} use torc workflows create-from-commands-file FILE or torc run FILE --commands.`;
  return new SpecError(error.problems.slice(0, fewProblems), error.count, hint);
}

/**
 * What `~` and variables in paths stand for: what they do for the person who creates the workflow. Files of values lie in
 * the folder of the specification.
 */
export function pathPlace({ env }: Context, folder = '.'): PathPlace {
  return { directory: process.cwd(), home: env.HOME ?? homedir(), variables: env, readText: textsIn(folder) };
}

/** Else the bytes of a large file would stay in memory beside its jobs. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
}

async function readCommands(path: string, needs: CommandsNeeds): Promise<ExpandedWorkflow> {
  const { expandCommandLines, expandCommands } = await import('../../model/expand/commands-file.ts');
  keepHeapSmall(growthOfCreation);
  const stem = basename(path, extname(path));
  const options = { ...needs, file: shownName(path), name: needs.name ?? (path === standardInput ? 'commands' : stem) };
  if (path !== standardInput && fileBytes(path, commandsHint) > wholeTextBytes) {
    const { LineFile } = await import('./line-file.ts');
    return expandCommandLines(await LineFile.open(path, commandsHint), options);
  }
  return expandCommands(readBytes(path, commandsHint), options);
}
