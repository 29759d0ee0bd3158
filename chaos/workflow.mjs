// The workflow of a run and the log of its jobs: one line at the start and one at the end of each attempt.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// A lock shows whether two attempts of a job overlap: every process of an attempt holds it until its end. The lines are
// short, so that each is written atomically.
const jobScript = `
tag="$TORC_JOB_KEY $TORC_RUN_ID $TORC_ATTEMPT_ID"
who="\${CHAOS_WORKER:-$SLURM_JOB_ID.\${SLURM_RESTART_COUNT:-0}} $$"
exec 9>>"$CHAOS_LOCKS/$TORC_JOB_KEY"
flock -n 9 || echo "O $tag $EPOCHREALTIME $who" >> "$CHAOS_LOG"
echo "S $tag $EPOCHREALTIME $who" >> "$CHAOS_LOG"
sleep "$1"
code=0
[ "$TORC_ATTEMPT_ID" -gt "$2" ] || code=3
echo "E $tag $EPOCHREALTIME $who $code" >> "$CHAOS_LOG"
exit $code
`;

export const logOf = (place) => join(place, 'attempts.log');

/** Writes the script and the empty log of the jobs; their environment names both. */
export function prepareJobs(place) {
  writeFileSync(join(place, 'job.sh'), jobScript);
  writeFileSync(logOf(place), '');
  mkdirSync(join(place, 'locks'));
}

/** The command of a job that runs for `seconds`, and fails in its first `failures` attempts. */
export function commandOf(place, seconds, failures) {
  const [log, locks] = [logOf(place), join(place, 'locks')];
  return `CHAOS_LOG='${log}' CHAOS_LOCKS='${locks}' exec bash '${place}/job.sh' ${seconds} ${failures}`;
}

/**
 * About `numJobs` short jobs: a sweep without dependencies, chains, stages in which each job waits for all jobs of the
 * previous stage, and a random graph. Some fail once or twice before they succeed. Times in seconds.
 */
export function specification(place, random, numJobs, { longestSeconds = 0.8 } = {}) {
  const seconds = () => (0.02 + random.fraction() * random.fraction() * longestSeconds).toFixed(3);
  const command = () => commandOf(place, seconds(), random.chance(0.08) ? random.between(1, 2) : 0);
  // one command for all instances of a sweep
  const ofSweep = () => commandOf(place, seconds(), '$((TORC_JOB_KEY % 13 == 0))');
  const common = { failure_handler: 'patient', resource_requirements: 'small' };
  const quarter = Math.floor(numJobs / 4);
  const jobs = [{ name: 'sweep_{i}', parameters: { i: `1:${quarter}` }, command: ofSweep(), ...common }];
  for (let index = 0; index < quarter; index++) {
    const [lane, link] = [Math.floor(index / 8), index % 8];
    const before = link === 0 ? {} : { depends_on: [`chain_${lane}_${link - 1}`] };
    jobs.push({ name: `chain_${lane}_${link}`, command: command(), ...before, ...common });
  }
  const width = 12;
  for (let stage = 0; stage < quarter / width; stage++) {
    const before = stage % 6 === 0 ? {} : { depends_on_regexes: [`^stage_${stage - 1}_\\d+$`] };
    const parameters = { j: `1:${width}` };
    jobs.push({ name: `stage_${stage}_{j}`, parameters, command: ofSweep(), ...before, ...common });
  }
  for (let index = 0; index < quarter; index++) {
    const upstreams = Array.from({ length: random.between(0, 3) }, () => index - random.between(1, 40));
    const before = [...new Set(upstreams.filter((upstream) => upstream >= 0).map((upstream) => `graph_${upstream}`))];
    jobs.push({ name: `graph_${index}`, command: command(), depends_on: before, ...common });
  }
  return {
    name: 'chaos',
    resource_requirements: [{ name: 'small', num_cpus: 1, memory: '200m', runtime: 'PT10M' }],
    failure_handlers: [{ name: 'patient', rules: [{ match_all_exit_codes: true, max_retries: 12 }] }],
    jobs,
  };
}

/** The lines of the log: `kind` is S (start), E (end) or O (another attempt of the job was running). */
export function readLog(place) {
  return readFileSync(logOf(place), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [kind, jobKey, runId, attemptId, time, worker, pid, code] = line.split(' ');
      const attempt = `${jobKey} ${runId} ${attemptId}`;
      return {
        kind,
        jobKey,
        runId: Number(runId),
        attemptId: Number(attemptId),
        attempt,
        seconds: Number(time),
        worker,
        pid: Number(pid),
        code: code === undefined ? null : Number(code),
      };
    });
}
