// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in texts are written like that
/** The keys of torc 1.0: each does what it says, or is told of with its place. */
import { describe, expect, it } from 'vitest';
import { readSpec } from '../../src/model/expand/read.ts';
import { modeOf, stdioModes, stdioParts } from '../../src/model/launch.ts';
import { notesOn } from '../../src/model/spec/without-effect.ts';
import { loadWorkflow } from '../support/specification.ts';

const load = (spec: object) =>
  loadWorkflow(JSON.stringify({ name: 'w', jobs: [{ name: 'a', command: 'x' }], ...spec }), { file: 'w.json' })
    .workflow;

/** What is told of a specification in YAML without its name and jobs. */
function notes(yaml: string): string[] {
  const text = `name: w\njobs: [{ name: a, command: x }]\n${yaml}\n`;
  const { spec, where } = readSpec(text, { file: 'w.yaml' });
  return notesOn(spec, 'w.yaml', where);
}

describe('a key that has an effect', () => {
  it('execution_config.sigkill_headroom_seconds: what runs is ended this long before the allocation', () => {
    expect(load({ execution_config: { sigkill_headroom_seconds: 60 } }).expirationBufferSeconds).toBe(60);
    const both = { compute_node_expiration_buffer_seconds: 180, execution_config: { sigkill_headroom_seconds: 60 } };
    expect(() => load(both)).toThrow(
      'execution_config.sigkill_headroom_seconds: means compute_node_expiration_buffer_seconds, which the workflow has too',
    );
  });

  it('execution_config.termination_signal and sigterm_lead_seconds', () => {
    const config = { termination_signal: 'SIGUSR1', sigterm_lead_seconds: 7 };
    expect(load({ execution_config: config })).toMatchObject({ terminationSignal: 'SIGUSR1', sigtermLeadSeconds: 7 });
  });

  it('execution_config.limit_resources: memory is for packing only', () => {
    const resource_requirements = [{ name: 'r', num_cpus: 1, memory: '8g' }];
    const of = (limit_resources: boolean) => load({ resource_requirements, execution_config: { limit_resources } });
    const bytes = 8 * 1024 ** 3;
    expect(of(true).requirements[0]).toMatchObject({ memoryBytes: bytes, isMemoryStated: true });
    expect(of(false).requirements[0]).toMatchObject({ memoryBytes: bytes, isMemoryStated: false });
  });

  it('execution_config.stdio: the words of torc 1.0', () => {
    const modes = ['separate', 'combined', 'no_stdout', 'no_stderr', 'none'] as const;
    const of = (delete_on_success?: boolean) => modes.map((mode) => modeOf({ mode, delete_on_success }));
    expect(of()).toEqual(['files', 'per-job', 'no-stdout', 'no-stderr', 'none']);
    const removed = ['on-failure', 'per-job-on-failure', 'no-stdout-on-failure', 'no-stderr-on-failure', 'none'];
    expect(of(true)).toEqual(removed);
    expect(load({ execution_config: { stdio: { mode: 'combined' } } }).stdio).toBe('per-job');
    expect(load({ execution_config: { stdio: { delete_on_success: true } } }).stdio).toBe('on-failure');
    expect(load({ stdio: 'combined' }).stdio).toBe('combined');
    expect(() => load({ stdio: 'none', execution_config: { stdio: { mode: 'none' } } })).toThrow(
      'execution_config.stdio: is given in the workflow too',
    );
    expect(stdioModes.filter((mode) => stdioParts(mode).isForFailures)).toEqual(removed.slice(0, 4));
  });

  it('stdio, cwd, stdin and container of a job', () => {
    const files = [{ name: 'in', path: 'a b.txt' }];
    const jobs = [
      { name: 'a', command: 'x', stdio: { mode: 'no_stderr' }, stdin: '${files.input.in}' },
      {
        name: 'b_{i}',
        command: 'x',
        stdio: 'combined',
        cwd: 'run_{i}',
        container: 'tool_{i}.sif',
        parameters: { i: [1] },
      },
      { name: 'c', command: 'x' },
    ];
    const [a, b, c] = load({ files, jobs }).jobs;
    expect(a).toMatchObject({ launch: { stdio: 'no-stderr', stdin: 'a b.txt' }, inputFiles: [0] });
    expect(b?.launch).toEqual({ stdio: 'combined', cwd: 'run_1', container: 'tool_1.sif' });
    expect(c).not.toHaveProperty('launch');
    expect(() => load({ jobs: [{ name: 'a', command: 'x', stdio: { mod: 'none' } }] })).toThrow(
      'w.json:1:56: jobs[0].stdio.mod: unknown key "mod" in a stdio mapping; did you mean "mode"?',
    );
    expect(() => load({ jobs: [{ name: 'a', command: 'x', stdio: 'non' }] })).toThrow(
      'jobs[0].stdio: found the text "non", expected one of files, combined,',
    );
  });

  it('resource_monitor.jobs: the time series of jobs', () => {
    const jobs = { enabled: true, granularity: 'time_series' };
    expect(load({ resource_monitor: { jobs, sample_interval_seconds: 2 } }).resourceMonitor).toMatchObject({
      ...{ enabled: true, granularity: 'time_series', sampleIntervalSeconds: 2 },
    });
    expect(load({ resource_monitor: { enabled: true, jobs: { enabled: false } } }).resourceMonitor?.enabled).toBe(
      false,
    );
  });

  it('metadata: a text or anything else, as it is written', () => {
    expect(load({ metadata: '{"a": 1}' }).metadata).toBe('{"a": 1}');
    expect(load({ metadata: { a: [1] } }).metadata).toEqual({ a: [1] });
  });
});

describe('a key without an effect is told of with its place', () => {
  it.each([
    ['enable_ro_crate: true', 'enable_ro_crate has no effect: torc writes no RO-Crate'],
    ['access_groups: [team]', 'access_groups has no effect: a server serves one person'],
    ['dynamic_jobs: { max_iterations: 3 }', 'dynamic_jobs.max_iterations has no effect: .*max_dynamic_jobs'],
    ['use_pending_failed: true', 'use_pending_failed has no effect: .*reset-status KEY --failed-only --restart'],
    ['files: [{ name: f, path: p, identifier: x }]', 'files\\[0\\].identifier has no effect'],
    ['files: [{ name: f, path: p, st_mtime: 5 }]', 'files\\[0\\].st_mtime has no effect'],
    [
      'slurm_schedulers: [{ account: a, serialize_allocations: true }]',
      'slurm_schedulers\\[0\\].serialize_allocations has no effect',
    ],
    ['execution_config: { mode: slurm }', 'execution_config.mode has no effect: .*write srun into the command'],
    ['execution_config: { timeout_exit_code: 9 }', 'execution_config.timeout_exit_code has no effect: .* is 152'],
    ['execution_config: { oom_exit_code: 9 }', 'execution_config.oom_exit_code has no effect: .* is 137'],
    ['execution_config: { staggered_start: true }', 'execution_config.staggered_start has no effect'],
    ['execution_config: { srun_termination_signal: TERM@9 }', 'execution_config.srun_termination_signal has no effect'],
    ['execution_config: { enable_cpu_bind: true }', 'execution_config.enable_cpu_bind has no effect'],
    ['execution_config: { srun_mpi: pmix }', 'execution_config.srun_mpi has no effect: .*--mpi=pmix'],
    ['resource_monitor: { generate_plots: true }', 'resource_monitor.generate_plots has no effect'],
    ['resource_monitor: { compute_node: { enabled: true, cpu: true } }', 'resource_monitor.compute_node has no effect'],
    ['resource_monitor: { flush_interval_seconds: 9 }', 'resource_monitor.flush_interval_seconds has no effect'],
    ['resource_monitor: { metrics: [cpu] }', 'resource_monitor.metrics has no effect: it is unknown'],
    ['env: { TORC_JOB_KEY: 1 }', 'env.TORC_JOB_KEY has no effect: torc sets TORC_'],
  ])('%s', (yaml, message) => {
    const [note, ...others] = notes(yaml);
    expect(note).toMatch(new RegExp(`^w\\.yaml:3:\\d+: ${message}`));
    expect(others).toEqual([]);
  });

  it('once for all elements that have it, and in the order of the file', () => {
    const files = Array.from({ length: 3 }, (_, i) => `{ name: f${i}, path: p${i}, st_mtime: 1 }`).join(', ');
    expect(notes(`env: { TORC_X: 1 }\nfiles: [${files}]\nenable_ro_crate: true`)).toEqual([
      'w.yaml:3:8: env.TORC_X has no effect: torc sets TORC_.. itself',
      'w.yaml:4:31: files[0].st_mtime has no effect: torc looks at the file itself (the same for 2 more)',
      'w.yaml:5:1: enable_ro_crate has no effect: torc writes no RO-Crate',
    ]);
  });

  it('but not where it says what torc does anyhow', () => {
    const config =
      'mode: auto, timeout_exit_code: 152, oom_exit_code: 137, limit_resources: true, enable_cpu_bind: false';
    expect(notes(`execution_config: { ${config} }\nenable_ro_crate: false\naccess_groups: []`)).toEqual([]);
    expect(notes('resource_monitor: { enabled: true, compute_node: { enabled: false } }')).toEqual([]);
  });
});
