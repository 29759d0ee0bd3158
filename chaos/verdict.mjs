// Compares what the jobs logged themselves with what the database says about them.
import { attemptOf } from './person.mjs';

/**
 * Lists of sentences: `lost` results, `duplicated` attempts, `stuck` jobs. `workers` records by name the faults of each;
 * `allowsOverlap` names attempts that may overlap an earlier one because nothing can prevent it.
 */
export function judge({ lines, results, jobs, person, workers, killedJobs, allowsOverlap = () => false }) {
  const attempts = gather(lines);
  const byAttempt = new Map(results.map((result) => [attemptOf(result), result]));
  return {
    lost: [...lostOfSeen(person.seen, byAttempt), ...lostOfRun(attempts, byAttempt, workers, killedJobs)].concat(
      withoutRun(byAttempt, attempts),
    ),
    duplicated: [
      ...twice(attempts),
      ...overlapping(lines, allowsOverlap),
      ...afterSuccess(attempts, byAttempt, person.resetJobs),
    ],
    stuck: jobs.filter((job) => job.status !== 'done' || job.return_code !== 0).map(stuckWords),
    numAttempts: attempts.size,
  };
}

/** Attempt -> its lines. */
function gather(lines) {
  const attempts = new Map();
  for (const line of lines) {
    const attempt = attempts.get(line.attempt) ?? { ...line, starts: [], ends: [] };
    if (line.kind === 'S') attempt.starts.push(line);
    if (line.kind === 'E') attempt.ends.push(line);
    attempts.set(line.attempt, attempt);
  }
  return attempts;
}

/** A result that a person has seen stays and does not change. */
function lostOfSeen(seen, byAttempt) {
  return [...seen].flatMap(([attempt, code]) => {
    const result = byAttempt.get(attempt);
    if (result === undefined) return [`the result of attempt ${attempt} has disappeared`];
    if (result.return_code === code) return [];
    return [`the result of attempt ${attempt} changed from ${code} to ${result.return_code}`];
  });
}

/** An attempt that ran to its end under a worker that is alive, or ended in an orderly way, has a result with its return code. */
function lostOfRun(attempts, byAttempt, workers, killedJobs) {
  return [...attempts.values()].flatMap(({ attempt, jobKey, ends: [end] }) => {
    const worker = end === undefined ? null : workers.get(end.worker);
    if (end === undefined || worker?.wasKilled !== false) return [];
    const result = byAttempt.get(attempt);
    const words = `attempt ${attempt} ended with ${end.code} under ${end.worker}`;
    if (result === undefined) return [`${words}, but has no result`];
    // a signal may arrive between the last line of the job and its end
    const mayDiffer = worker.wasStopped || killedJobs.has(jobKey);
    if (result.return_code === end.code || mayDiffer) return [];
    return [`${words}, but its result is ${result.return_code} (${result.cause})`];
  });
}

/** An attempt that is recorded as ended by itself did run to its end. */
function withoutRun(byAttempt, attempts) {
  return [...byAttempt.values()].flatMap((result) => {
    if (result.cause !== 'success' && result.cause !== 'exit_code') return [];
    const [end] = attempts.get(attemptOf(result))?.ends ?? [];
    if (end !== undefined && end.code === result.return_code) return [];
    return [
      `attempt ${attemptOf(result)} has the result ${result.return_code}, but the log has ${end?.code ?? 'no end'}`,
    ];
  });
}

function twice(attempts) {
  return [...attempts.values()].flatMap(({ attempt, starts }) =>
    starts.length < 2 ? [] : [`attempt ${attempt} started ${starts.length} times: ${starts.map(place).join(', ')}`],
  );
}

function overlapping(lines, allowsOverlap) {
  return lines
    .filter((line) => line.kind === 'O' && !allowsOverlap(line))
    .map((line) => `attempt ${line.attempt} started while another one of the job was running: ${place(line)}`);
}

/** A job that has succeeded does not run again unless a person asks for it. */
function afterSuccess(attempts, byAttempt, resetJobs) {
  const succeeded = [...byAttempt.values()].filter(({ return_code }) => return_code === 0);
  const first = new Map(succeeded.map((result) => [result.job_key, result]));
  return [...attempts.values()].flatMap(({ attempt, jobKey, runId, attemptId, starts }) => {
    const result = first.get(jobKey);
    if (result === undefined || starts.length === 0 || resetJobs.has(jobKey)) return [];
    const isLater = runId > result.run_id || (runId === result.run_id && attemptId > result.attempt_id);
    return isLater ? [`attempt ${attempt} ran although ${attemptOf(result)} had succeeded`] : [];
  });
}

const place = ({ worker, pid, seconds }) => `${worker} pid ${pid} at ${new Date(seconds * 1000).toISOString()}`;

const stuckWords = (job) =>
  `job ${job.job_key} ${job.name} is ${job.status} (${job.return_code ?? '-'}, ${job.cause ?? '-'}), orphaned ${job.orphaned}`;
