/** Reads what a job wrote as its output user data: from files to checked JSON documents. */
import { jsonText, parseJson } from '../../base/exact-json.ts';
import { mostUserDataBytes, userDataProblem } from '../../model/spec/user-data.ts';
import type { FinishedAttempt } from '../processes/job-runner.ts';
import type { FileReader } from './file-reader.ts';

type UserData = NonNullable<FinishedAttempt['userData']>;
type Json = UserData[number]['data'];

/** All documents of one job together, as they are sent: a request may have 16 MiB. */
const longestTogetherBytes = 8 * 1024 * 1024;

export interface WrittenData {
  data: UserData;
  /** What is wrong with existing documents, each as the end of a sentence about the job. */
  problems: string[];
}

/** Reads the document of each name from the path at the same index. A document that was not written is left out. */
export async function readUserData(
  reader: FileReader,
  names: readonly string[],
  paths: readonly string[],
): Promise<WrittenData> {
  const written: WrittenData = { data: [], problems: [] };
  let leftBytes = longestTogetherBytes;
  for (const [index, name] of names.entries()) {
    const read = await reader.readText(paths[index] ?? '', mostUserDataBytes);
    const parsed = read.text === null ? read : parse(read.text);
    if ('problem' in parsed && parsed.problem === null) continue;
    const wrote = `wrote user data ${JSON.stringify(name)} that`;
    if ('problem' in parsed) {
      written.problems.push(`${wrote} ${parsed.problem}`);
      continue;
    }
    leftBytes -= Buffer.byteLength(jsonText(parsed.data));
    if (leftBytes >= 0) written.data.push({ name, data: parsed.data });
    else written.problems.push(`${wrote} is too large together with its other user data`);
  }
  return written;
}

function parse(text: string): { data: Json } | { problem: string } {
  try {
    const data = parseJson(text) as Json;
    const problem = userDataProblem(data);
    return problem === null ? { data } : { problem };
  } catch (error) {
    return { problem: `is not valid JSON (${error instanceof Error ? error.message : error})` };
  }
}
