/** Workers on the server's own host, for actions with the scheduler type `local`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { dirname } from 'node:path';
import { actionOutputPath } from '../../base/paths.ts';
import { programEnvironment, programPath, workerNodeOptions } from '../../base/program.ts';
import { makePrivateFolder, openForAppending } from '../../base/trusted/private.ts';
import type { Firing } from '../../storage/running/actions.ts';
import type { ServerContext } from '../context.ts';

/**
 * One worker per workflow: it uses the whole machine, and a second one would give out the same CPUs and memory again.
 */
export class LocalWorkers {
  readonly #context: ServerContext;
  readonly #workflowKeys = new Set<number>();

  constructor(context: ServerContext) {
    this.#context = context;
  }

  /**
   * Starts a workflow's worker unless one runs on this host; the worker outlives the server. Rejects when it cannot
   * start.
   */
  async start(firing: Firing): Promise<{ pid?: number; note?: string; output_path?: string }> {
    const { workflowKey } = firing;
    const note = 'a worker of this workflow already runs on this host';
    if (this.#workflowKeys.has(workflowKey)) return { note };
    this.#workflowKeys.add(workflowKey);
    try {
      if (!(await this.#isOneHere(String(workflowKey)))) return await this.#spawn(firing);
    } catch (error) {
      this.#workflowKeys.delete(workflowKey);
      throw error;
    }
    this.#workflowKeys.delete(workflowKey);
    return { note };
  }

  async #spawn(firing: Firing): Promise<{ pid: number; output_path: string }> {
    const { workflowKey, firingKey, workingDirectory, outputDirectory, max_parallel_jobs } = firing;
    const { directory } = this.#context.info;
    const outputPath = actionOutputPath(directory, firingKey);
    makePrivateFolder(dirname(outputPath));
    const output = openForAppending(outputPath);
    const words = ['--dir', directory, 'jobs', 'run', String(workflowKey), '--worker', `--output=${outputDirectory}`];
    if (max_parallel_jobs !== null) words.push(`--max-parallel-jobs=${max_parallel_jobs}`);
    const child = spawn(process.execPath, [...workerNodeOptions, programPath(), ...words], {
      cwd: workingDirectory,
      // commands that run without a shell inherit this PWD
      env: { ...programEnvironment(), PWD: workingDirectory },
      detached: true,
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    child.once('exit', () => this.#workflowKeys.delete(workflowKey));
    child.unref();
    await once(child, 'spawn');
    return { pid: child.pid ?? 0, output_path: outputPath };
  }

  async #isOneHere(workflowKey: string): Promise<boolean> {
    const { records } = await this.#context.call('list', {
      list: 'compute_nodes',
      workflow_key: workflowKey,
      filters: [
        { column: 'hostname', value: this.#context.info.hostname },
        { column: 'is_active', value: 'true' },
      ],
      sort_by: null,
      reverse: false,
      limit: 1,
      skip: 0,
    });
    return records.length > 0;
  }
}
