/** The worker's effects on the real machine. */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ActionReport, WorkerCommands } from '../api/contract.ts';
import { rawVariables } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { environment } from '../base/config.ts';
import type { Log } from '../base/log.ts';
import { openFilesOfCaller } from '../base/open-files.ts';
import { actionOutputPath, privateDataDirectory, stepsDirectory, userDataFolder, workerPaths } from '../base/paths.ts';
import { readStat, systemUnits } from '../base/proc.ts';
import { runShellCommands } from '../base/shell-commands.ts';
import { unsafeFolder } from '../base/trusted/parents.ts';
import { isPrivateFileThere } from '../base/trusted/private-async.ts';
import type { WorkerEffects } from './effects.ts';
import { openSpool } from './exchange/spool.ts';
import { type Credentials, openCredentials } from './files/credentials.ts';
import { openFileReader } from './files/file-reader.ts';
import { withFullOutput } from './files/full-output.ts';
import { openLogStore } from './files/log-store.ts';
import { openValueFiles } from './files/values.ts';
import type { WorkerOptions } from './options.ts';
import { openCgroupMemory } from './processes/cgroup.ts';
import { openHelperSpawner } from './processes/helper-spawner.ts';
import { jobEnvironment } from './processes/job-environment.ts';
import type { RunnerEvents } from './processes/job-runner.ts';
import { type LaunchContext, workerVariables } from './processes/launch.ts';
import { openNodeSpawner } from './processes/node-spawner.ts';
import { OomWatch } from './processes/oom-watch.ts';
import { ProcessRunner } from './processes/process-runner.ts';
import { ProcessTable } from './processes/process-table.ts';
import { bootId } from './processes/resources.ts';
import type { Spawner } from './processes/spawner.ts';
import { openStepSpawner } from './processes/step-spawner.ts';
import { openWarmSpawner } from './processes/warm-spawner.ts';

export interface SystemDependencies {
  clock: Clock;
  log: Log;
  /** Tells the person who started the worker. */
  warn?(text: string): void;
  /** Starts processes; defaults to the helper. */
  spawner?: Spawner;
}

/** Processes, /proc, cgroups, files and randomness of this machine, under a new worker id. */
export function systemEffects(options: WorkerOptions, dependencies: SystemDependencies): WorkerEffects {
  const { clock, log } = dependencies;
  const workerId = randomBytes(16).toString('hex');
  const paths = workerPaths(options.directory, workerId);
  const isShared = unsafeFolder(join(options.outputDirectory, userDataFolder)) !== null;
  const dataDirectory = isShared ? privateDataDirectory(options.directory, workerId) : options.outputDirectory;
  const files = openFileReader(dataDirectory);
  const values = openValueFiles(dataDirectory, files);
  const credentials = openCredentials(options.directory, workerId);
  return {
    workerId,
    bootId: bootId(),
    pid: process.pid,
    startTicks: readStat('/proc', 'self')?.startTime ?? null,
    workingDirectory: process.cwd(),
    random: Math.random,
    dataDirectory,
    files,
    values,
    credentials,
    logs: openLogStore(options.outputDirectory, workerId, { clock, log }),
    spool: openSpool({ path: paths.spoolPath, clock, log }),
    runCommands: (commands, abort) => runNodeCommands(options, commands, abort),
    isFenced: () => isPrivateFileThere(paths.stopPath),
    openRunner(events) {
      const { directory, outputDirectory, workflowKey, capacity } = options;
      const units = systemUnits();
      const steps = options.steps ?? { problem: 'this worker does not run in an allocation of Slurm' };
      const hasSteps = 'node' in steps;
      let isToldWithout = false;
      const launch: LaunchContext = {
        workerId,
        workflowKey,
        directory,
        outputDirectory,
        dataDirectory,
        gpuIds: capacity.gpuIds,
        gpuMaker: capacity.gpuMaker ?? 'nvidia',
        nodeNames: capacity.nodeNames,
        pins: options.pin ?? false,
        steps,
        notAsStep(problem) {
          if (!isToldWithout)
            dependencies.warn?.(`execution: slurm has no effect here, jobs start without srun: ${problem}`);
          isToldWithout = true;
        },
        hasThreads: environment().OMP_NUM_THREADS !== undefined,
        rawVariables: rawVariables(environment()),
        fileVariables: (job) => ({ ...values.variables(job), ...credentials.give(job) }),
      };
      const inherited = { ...jobEnvironment(environment()), ...workerVariables(launch) };
      const openFiles = openFilesOfCaller();
      const fallback = openNodeSpawner(units.ticksPerSecond, inherited, openFiles, outputDirectory);
      const environmentOfAll = { clock, log, environment: inherited, openFiles };
      const cold = dependencies.spawner ?? openHelperSpawner({ ...environmentOfAll, outputDirectory, fallback });
      // a fork server opens files as any program does: not where others could lead it elsewhere
      const spawner = isShared ? cold : openWarmSpawner({ ...environmentOfAll, spawner: cold });
      return new ProcessRunner(withFullOutput(withCredentials(events, credentials), clock, outputDirectory), {
        clock,
        log,
        units,
        capacityBytes: capacity.memoryBytes,
        launch,
        spawner: !hasSteps
          ? spawner
          : openStepSpawner({ spawner, folder: stepsDirectory(options.directory, workerId) }),
        // jobs inherit it, also when a person started this worker inside an allocation
        table: new ProcessTable({ workerId, slurmJobId: environment().SLURM_JOB_ID ?? null, hasSteps }),
        oomWatch: new OomWatch(clock, openCgroupMemory().oomKillCount),
      });
    },
    async close() {
      values.close();
      credentials.close();
      await rm(stepsDirectory(options.directory, workerId), { recursive: true, force: true }).catch(() => {});
      // what is left in the server directory is in nobody's way
      if (isShared) await rm(dataDirectory, { recursive: true, force: true }).catch(() => {});
    },
  };
}

/** The credential of an attempt ends with its processes. */
function withCredentials(events: RunnerEvents, credentials: Credentials): RunnerEvents {
  return {
    ...events,
    ended(finished) {
      credentials.take(finished.attempt);
      events.ended(finished);
    },
    unstarted(attempt, shortage) {
      credentials.take(attempt);
      events.unstarted(attempt, shortage);
    },
  };
}

/** For all commands of one firing together. */
const commandsTimeLimitMs = 10 * 60_000;

async function runNodeCommands(
  { directory, outputDirectory, workflowKey }: WorkerOptions,
  { firing, action_key, run_id, commands }: WorkerCommands,
  abort: AbortSignal,
): Promise<ActionReport> {
  const output_path = actionOutputPath(directory, firing);
  const { returnCodes: return_codes, error } = await runShellCommands({
    commands,
    workingDirectory: process.cwd(),
    variables: {
      TORC_WORKFLOW_KEY: workflowKey,
      TORC_WORKFLOW_ID: workflowKey,
      TORC_RUN_ID: String(run_id),
      TORC_ACTION_KEY: action_key,
      TORC_OUTPUT_DIR: outputDirectory,
      TORC_DIR: directory,
      TORC_JOB_DIR: directory,
    },
    outputPath: output_path,
    timeLimitMs: commandsTimeLimitMs,
    abort,
  });
  return {
    firing,
    return_codes,
    output_path,
    error: error === 'interrupted' ? 'interrupted: the worker ended' : error,
  };
}
