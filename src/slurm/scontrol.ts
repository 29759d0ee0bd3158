/** Parses `scontrol show job`, which prints several unquoted fields on a line. */
import { parseCount, parseDuration, parseExitStatus, parseInstant, parseJobId, presentText } from './fields.ts';
import type { Parsed, ShownJob } from './parse.ts';
import { parseState } from './states.ts';

/** Fields whose values may contain anything and extend to the end of the line. */
const freeText = /(?:^|\s)(JobName|Command|WorkDir|StdErr|StdIn|StdOut|Comment|AdminComment|SystemComment)=(.*)$/;

/**
 * The first value of a field counts: a job's name or comment that looks like a field can only add to its own line, and
 * the fields that matter are on other lines.
 */
function readLine(line: string, fields: Map<string, string>): void {
  const add = (name: string, value: string) => {
    if (!fields.has(name)) fields.set(name, value);
  };
  const free = freeText.exec(line);
  const plain = free === null ? line : line.slice(0, free.index);
  for (const word of plain.trim().split(/\s(?=[A-Z][A-Za-z0-9/:]*=)/)) {
    const equals = word.indexOf('=');
    if (equals > 0) add(word.slice(0, equals), word.slice(equals + 1).trimEnd());
  }
  if (free?.[1] !== undefined) add(free[1], free[2] ?? '');
}

function shownJob(fields: Map<string, string>): ShownJob | null {
  const id = parseJobId(fields.get('JobId'));
  const state = presentText(fields.get('JobState'));
  if (id === null || state === null) return null;
  return {
    slurmJobId: id.jobId,
    arrayTask: presentText(fields.get('ArrayTaskId')),
    name: fields.get('JobName') ?? '',
    state: parseState(state),
    reason: presentText(fields.get('Reason')),
    restartCount: parseCount(fields.get('Restarts')) ?? 0,
    submitTimeMs: parseInstant(fields.get('SubmitTime')),
    startTimeMs: parseInstant(fields.get('StartTime')),
    endTimeMs: parseInstant(fields.get('EndTime')),
    timeLimitSeconds: parseDuration(fields.get('TimeLimit')),
    numNodes: parseCount(fields.get('NumNodes')?.split('-')[0]),
    nodeList: presentText(fields.get('NodeList')),
    partition: presentText(fields.get('Partition')),
    exit: parseExitStatus(fields.get('ExitCode')),
    batchHost: presentText(fields.get('BatchHost')),
    fields,
  };
}

/** Never throws; a paragraph without an id and a state is counted and left out. */
export function parseScontrolJobs(text: string): Parsed<ShownJob> {
  const records: ShownJob[] = [];
  let numUnparsed = 0;
  // a job's paragraph begins with its id: it may contain blank lines
  for (const paragraph of text.split(/^(?=JobId=)/m)) {
    if (paragraph.trim() === '' || /^No jobs in the system\s*$/.test(paragraph)) continue;
    const fields = new Map<string, string>();
    for (const line of paragraph.split('\n')) readLine(line, fields);
    const record = shownJob(fields);
    if (record === null) numUnparsed += 1;
    else records.push(record);
  }
  return { records, numUnparsed };
}
