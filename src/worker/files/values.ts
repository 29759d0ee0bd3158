/**
 * The files through which jobs pass values: each may leave its result value in one, and finds those of its upstream jobs
 * in another. Both are on this node, in a folder of the worker. Those of a job on several nodes lie beside its user data,
 * where all its nodes see them; so do all of them on a node without room for temporary files.
 */

import { closeSync } from 'node:fs';
import { join } from 'node:path';
import type { Assignment } from '../../api/contract.ts';
import { systemCode } from '../../base/errors.ts';
import type { Json } from '../../base/exact-json.ts';
import { sharedValuePaths } from '../../base/paths.ts';
import {
  makeScratchFolder,
  removeScratchFile,
  removeScratchFolder,
  takeScratch,
  writeScratch,
} from '../../base/trusted/scratch.ts';
import { below, openOutput, writeText } from '../../base/trusted/shared.ts';
import { mostResultBytes, readResult, tooLarge } from '../../model/spec/values.ts';
import { attemptName } from '../processes/launch.ts';
import type { FileReader } from './file-reader.ts';

/** `value` is undefined when the job left none; `problem` says what is wrong with it, as what follows "it". */
export type TakenResult = { value: Json | undefined } | { problem: string };

export interface ValueFiles {
  /** Variables that name the files. */
  variables(job: Assignment): Record<string, string>;
  /** Whether `prepare` has something to do. */
  needsPreparation(job: Assignment): boolean;
  /** Writes the inputs of a job before it starts. Throws the system's error. */
  prepare(job: Assignment): Promise<void>;
  /** The result value of an attempt that shares this node. Never fails. */
  take(attempt: number): TakenResult;
  /** The same of a job for which `prepare` was called. */
  takePrepared(job: Assignment): Promise<TakenResult>;
  /** Removes the folder. */
  close(): void;
}

const noInputs = '{"args":[],"by_name":{}}';

export function openValueFiles(dataDirectory: string, files: FileReader): ValueFiles {
  const folder = openFolder();
  const inFolder = (name: string): string => `${folder ?? ''}/${name}`;
  const resultPath = (attempt: number): string => inFolder(`${attempt}.result.json`);
  const inputsPath = (attempt: number): string => inFolder(`${attempt}.inputs.json`);
  const isShared = (job: Assignment): boolean => folder === null || job.node_indices !== undefined;

  function take(attempt: number): TakenResult {
    try {
      const content = takeScratch(resultPath(attempt), mostResultBytes + 1);
      if (content === null) return { value: undefined };
      if (content.length > mostResultBytes) return bad(tooLarge);
      return checked(new TextDecoder('utf-8', { fatal: true }).decode(content));
    } catch (error) {
      return bad(problemOf(error));
    }
  }

  return {
    variables(job) {
      const { attempt, inputs } = job;
      if (isShared(job)) {
        const shared = sharedValuePaths(dataDirectory, attemptName(job));
        return { TORC_RESULT_FILE: shared.result, TORC_INPUTS_FILE: shared.inputs };
      }
      const given = inputs === undefined ? inFolder('no-inputs.json') : inputsPath(attempt);
      return { TORC_RESULT_FILE: resultPath(attempt), TORC_INPUTS_FILE: given };
    },
    needsPreparation: (job) => isShared(job) || job.inputs !== undefined,
    async prepare(job) {
      const { attempt, inputs = noInputs } = job;
      if (!isShared(job)) return inputs === null ? undefined : writeScratch(inputsPath(attempt), inputs);
      const { result, inputs: path } = sharedValuePaths(dataDirectory, attemptName(job));
      await files.makeRoom([result, path]);
      if (inputs === null) return;
      const file = below(dataDirectory, path, true, openOutput);
      try {
        writeText(file, inputs);
      } finally {
        closeSync(file);
      }
    },
    take,
    async takePrepared(job) {
      if (!isShared(job)) {
        removeScratchFile(inputsPath(job.attempt));
        return take(job.attempt);
      }
      const { result } = sharedValuePaths(dataDirectory, attemptName(job));
      const read = await files.readText(result, mostResultBytes);
      if (read.text !== null) return checked(read.text);
      return read.problem === null ? { value: undefined } : bad(read.problem);
    },
    close() {
      if (folder !== null) removeScratchFolder(folder);
    },
  };
}

/** The folder of this worker with the inputs of jobs that have none; null where it cannot be made. */
function openFolder(): string | null {
  try {
    const folder = makeScratchFolder('torc-values-');
    writeScratch(join(folder, 'no-inputs.json'), noInputs);
    return folder;
  } catch {
    return null;
  }
}

function checked(text: string): TakenResult {
  const read = readResult(text);
  if ('problem' in read) return bad(read.problem);
  return { value: read.value === null ? undefined : read.value };
}

function bad(problem: string): TakenResult {
  return { problem: `wrote a result value that ${problem}` };
}

function problemOf(error: unknown): string {
  const code = systemCode(error);
  if (code === 'EINVAL' || code === 'ELOOP' || code === 'ENXIO') return 'is not a regular file';
  return code?.startsWith('ERR_ENCODING') ? 'is not UTF-8' : `cannot be read (${code})`;
}
