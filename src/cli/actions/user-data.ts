/** `torc user-data show|modify|add|delete`. */

import { readFileSync } from 'node:fs';
import type { Api, ListRecord, Request } from '../../api/contract.ts';
import { asTorcError, systemCode, TorcError } from '../../base/errors.ts';
import { jsonText } from '../../base/exact-json.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { findByNameOrKey } from '../input/name-or-key.ts';
import { chooseWorkflow, type Use } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';
import { deleteParts } from './part-deletion.ts';

export interface UserDataOptions {
  data?: string;
  file?: string;
  /** Absent when neither option is given. */
  ephemeral?: boolean;
}

type Json = Request<'user_data_add'>['data'];

const example = `For example: --data '{"a": [1, "text"]}'`;

/** Prints only the document in any format: indented on a terminal, else on one line. */
export async function showUserData(context: Context, nameOrKey: string): Promise<void> {
  const { name, data } = await withConnection(context, ({ api }) => find(context, api, nameOrKey, 'reads'));
  if (data === null) note(context, `user data ${cellText(name)} has no value yet`);
  const isForPeople = context.format === 'text' && context.terminal.isStdoutTerminal;
  await context.terminal.out(`${jsonText(data, isForPeople ? 2 : 0)}\n`);
}

async function find(context: Context, api: Api, nameOrKey: string, use: Use = 'changes'): Promise<ListRecord> {
  const workflowKey = await chooseWorkflow(context, api, null, use);
  return findByNameOrKey(context, api, 'user_data', workflowKey, nameOrKey);
}

export async function modifyUserData(
  context: Context,
  nameOrKey: string,
  source: string | null,
  options: UserDataOptions,
): Promise<void> {
  const data = await readData(source, options);
  const { ephemeral } = options;
  if (data === undefined && ephemeral === undefined) {
    throw new TorcError('usage', 'no data were given: use --data, --file or -', example);
  }
  const changes = {
    ...(data === undefined ? {} : { data }),
    ...(ephemeral === undefined ? {} : { is_ephemeral: ephemeral }),
  };
  const reply = await withConnection(context, async ({ api }) => {
    const { user_data_key: key } = await find(context, api, nameOrKey);
    return api.call('user_data_modify', { user_data_key: String(key), changes });
  });
  await printResult(context, reply, () => {
    const what = `user data ${cellText(reply.name)}`;
    if (reply.is_changed) return `changed ${what} (version ${reply.version})\n`;
    return data === undefined
      ? `changed ${what}\n`
      : `nothing to change: ${what} already has this value (version ${reply.version})\n`;
  });
}

export async function addUserData(
  context: Context,
  name: string,
  source: string | null,
  options: UserDataOptions,
): Promise<void> {
  if (name === '') throw new TorcError('usage', 'the name of the user data is empty', null);
  const data = (await readData(source, options)) ?? null;
  const value = { name, data, is_ephemeral: options.ephemeral === true };
  await withConnection(context, async ({ api }) => {
    const workflow_key = await chooseWorkflow(context, api, null);
    const added = await api.call('user_data_add', { workflow_key, ...value });
    await printResult(context, { ...added, workflow_key, ...value }, () => {
      return `added user data ${cellText(name)} (key ${added.user_data_key}) to workflow ${workflow_key}\n`;
    });
  });
}

export async function deleteUserData(
  context: Context,
  words: readonly string[],
  options: { yes?: boolean },
): Promise<void> {
  await deleteParts(context, words, options, {
    list: 'user_data',
    words: ['document', 'documents'],
    remove: (api, user_data_key) => api.call('user_data_delete', { user_data_key }),
    done: (name) => `deleted user data ${name}\n`,
  });
}

/** The document from its source; undefined when no source is given. */
async function readData(source: string | null, { data, file }: UserDataOptions): Promise<Json | undefined> {
  if (source !== null && source !== '-') {
    throw new TorcError('usage', `unexpected argument '${source}'`, `${example}, or - for standard input`);
  }
  const named = [data !== undefined, file !== undefined, source !== null].filter(Boolean).length;
  if (named > 1) throw new TorcError('usage', 'give only one of --data, --file and -', example);
  if (data !== undefined) return parseData(Buffer.from(data), '--data');
  if (file === undefined && source === null) return undefined;
  const path = source ?? file ?? '-';
  return parseData(readBytes(path), path === '-' ? 'standard input' : path);
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path === '-' ? 0 : path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw new TorcError('not_found', `there is no file ${path}`, null);
    const reason = systemCode(error) === 'EISDIR' ? 'it is a directory' : asTorcError(error).message;
    throw new TorcError('usage', `cannot read ${path === '-' ? 'standard input' : path}: ${reason}`, null);
  }
}

/** Throws TorcError 'usage' with the position of the first syntax error. */
async function parseData(bytes: Buffer, from: string): Promise<Json> {
  const { decodeUtf8 } = await import('../../model/spec/source.ts');
  const { readJson } = await import('../../model/spec/json.ts');
  const { userDataProblem } = await import('../../model/spec/user-data.ts');
  let data: Json;
  try {
    data = readJson(decodeUtf8(bytes, from), from).value as Json;
  } catch (error) {
    if (!(error instanceof TorcError)) throw error;
    throw new TorcError('usage', error.message, example, { cause: error });
  }
  const problem = userDataProblem(data);
  if (problem !== null) throw new TorcError('usage', `${from} ${problem}`);
  return data;
}
