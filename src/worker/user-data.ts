/** What a job wrote for its output user data: from files to checked JSON documents. */
import type { FileReader } from './effects.ts';
import type { FinishedAttempt } from './reports.ts';

type UserData = NonNullable<FinishedAttempt['userData']>;
type Json = UserData[number]['data'];

/** Of one document, as the job wrote it. */
const longestDocumentBytes = 1024 * 1024;
/** Of all documents of one job, as they are sent: a request takes 16 MiB. */
const longestTogetherBytes = 8 * 1024 * 1024;
/** Programs that read JSON give up on documents with very many levels. */
const deepestLevel = 100;

export interface WrittenData {
  data: UserData;
  /** What is wrong with documents that are there, each as the end of a sentence about the job. */
  problems: string[];
}

/** Reads the document of each name from the path beside it. A document that was not written is left out. */
export async function readUserData(
  reader: FileReader,
  names: readonly string[],
  paths: readonly string[],
): Promise<WrittenData> {
  const written: WrittenData = { data: [], problems: [] };
  let leftBytes = longestTogetherBytes;
  for (const [index, name] of names.entries()) {
    const read = await reader.readText(paths[index] ?? '', longestDocumentBytes);
    const parsed = read.text === null ? read : parse(read.text);
    if ('problem' in parsed && parsed.problem === null) continue;
    const wrote = `wrote user data ${JSON.stringify(name)} that`;
    if ('problem' in parsed) {
      written.problems.push(`${wrote} ${parsed.problem}`);
      continue;
    }
    leftBytes -= Buffer.byteLength(JSON.stringify(parsed.data));
    if (leftBytes >= 0) written.data.push({ name, data: parsed.data });
    else written.problems.push(`${wrote} is too large beside its other user data`);
  }
  return written;
}

function parse(text: string): { data: Json } | { problem: string } {
  try {
    const data = JSON.parse(text) as Json;
    return isShallow(data, deepestLevel) ? { data } : { problem: `has more than ${deepestLevel} levels` };
  } catch (error) {
    return { problem: `is not valid JSON (${(error as Error).message})` };
  }
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1));
}
