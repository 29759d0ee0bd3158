/** The parts of a stored workflow as parts of a specification, without default values. */
import type {
  ExportedAction,
  ExportedJob,
  ExportedNotification,
  ExportedRequirements,
  ListRecord,
  Reply,
} from '../../api/contract.ts';
import { labelsIn } from '../../model/labels.ts';
import { launchKeys } from '../../model/launch.ts';
import { amountsIn } from '../../model/named-resources.ts';
import { defaultMaxDelayMs } from '../../model/retry.ts';
import type { Growth } from '../../model/scale.ts';

/** Sets of at least this many names become a pattern, if one matches exactly these names. */
const manyNames = 50;

/** The dependencies of a job behind a barrier. */
export type Dependence = { names: readonly string[] } | { pattern: string };

/** Names that differ only in numbers become a pattern, if it matches exactly these names. */
export function dependenceOn(names: readonly string[], count: (pattern: string) => number): Dependence {
  if (names.length < manyNames || names.some((name) => /[^\w.-]/.test(name))) return { names };
  const patterns = new Set(names.map((name) => `^${name.replaceAll('.', '\\.').replace(/[0-9]+/g, '[0-9]+')}$`));
  const [pattern = '', ...others] = patterns;
  return others.length === 0 && pattern.length < 1000 && count(pattern) === names.length ? { pattern } : { names };
}

/** A job with its requirements by name and its barriers as dependencies. */
export function jobSpec(
  job: ExportedJob,
  requirements: string | null,
  barriers: ReadonlyMap<string, Dependence>,
  plainRetries: ReadonlyMap<string, object>,
): object {
  const dependsOn = new Set(job.depends_on);
  const patterns: string[] = [];
  for (const barrier of job.barriers) {
    const dependence = barriers.get(barrier);
    if (dependence === undefined) continue;
    if ('pattern' in dependence) patterns.push(dependence.pattern);
    else for (const name of dependence.names) dependsOn.add(name);
  }
  const lists = {
    depends_on: [...dependsOn],
    depends_on_regexes: patterns,
    input_files: job.input_files,
    output_files: job.output_files,
    input_user_data: job.input_user_data,
    output_user_data: job.output_user_data,
  };
  return {
    name: job.name,
    command: job.command,
    ...(job.identity === undefined ? {} : { identity: job.identity }),
    ...(job.invocation_script === null ? {} : { invocation_script: job.invocation_script }),
    ...(requirements === null ? {} : { resource_requirements: requirements }),
    ...(job.scheduler === null ? {} : { scheduler: job.scheduler }),
    ...(job.labels === undefined ? {} : { labels: job.labels }),
    ...(job.limits === undefined ? {} : { limits: job.limits }),
    ...(job.failure_handler === null
      ? {}
      : (plainRetries.get(job.failure_handler) ?? { failure_handler: job.failure_handler })),
    ...Object.fromEntries(Object.entries(lists).filter(([, names]) => names.length > 0)),
    ...(job.priority === 0 ? {} : { priority: job.priority }),
    ...(job.cancel_on_blocking_job_failure ? {} : { cancel_on_blocking_job_failure: false }),
    ...(job.supports_termination ? { supports_termination: true } : {}),
    ...(job.task_failure_is_success === true ? { task_failure_is_success: true } : {}),
    ...(job.attributes === undefined ? {} : { attributes: job.attributes }),
    ...statedOf(job, launchKeys),
    ...(job.hold === true ? { hold: true } : {}),
    ...(job.max_wait_ms === undefined ? {} : { max_wait: `PT${job.max_wait_ms / 1000}S` }),
  };
}

/** Those keys of a job that it states. */
function statedOf(job: ExportedJob, keys: readonly (keyof ExportedJob)[]): object {
  return Object.fromEntries(keys.flatMap((key) => (job[key] === undefined ? [] : [[key, job[key]]])));
}

/** A free name for the requirements of one job. */
export function freeName(jobName: string, taken: Set<string | null>): string {
  const stem = `of ${jobName}`.slice(0, 4000);
  let name = stem;
  for (let n = 2; taken.has(name); n++) name = `${stem} (${n})`;
  taken.add(name);
  return name;
}

export function requirementsSpec(need: ExportedRequirements): object {
  const { name, num_cpus, memory_bytes: memory, num_gpus, num_nodes, runtime_seconds: runtime } = need;
  const { expected_runtime_seconds: expected } = need;
  return {
    name,
    num_cpus,
    ...(memory === null ? {} : { memory: memoryText(memory) }),
    ...(num_gpus === 0 ? {} : { num_gpus }),
    ...(num_nodes === 1 ? {} : { num_nodes }),
    ...(runtime === null ? {} : { runtime: `PT${runtime}S` }),
    ...need.from_data,
    ...(expected === undefined ? {} : { expected_runtime: `PT${expected}S` }),
    ...(need.resources === undefined ? {} : { resources: need.resources }),
  };
}

function memoryText(bytes: number): string {
  return bytes % 1024 ** 2 === 0 ? `${bytes / 1024 ** 2}m` : `${bytes}b`;
}

export function schedulerSpec(row: ListRecord): object {
  const { name, account, partition, qos, num_nodes, walltime_seconds, ntasks_per_node, mem, tmp, gres, extra } = row;
  const walltime = new Date((Number(walltime_seconds) % 86_400) * 1000).toISOString().slice(11, 19);
  const all = {
    ...{ name, account, partition, qos, nodes: num_nodes, ntasks_per_node, mem, tmp, gres, extra },
    walltime: `${Math.floor(Number(walltime_seconds) / 86_400)}-${walltime}`,
  };
  // without qos a specification means 'normal'; an empty one means none
  const pool = {
    ...(row.labels === null ? {} : { labels: labelsIn(String(row.labels)) }),
    ...(row.also_unlabelled === true ? { also_unlabelled: true } : {}),
    ...(row.resources === null ? {} : { resources: amountsIn(String(row.resources)) }),
  };
  return { ...stated(all), qos: qos ?? '', ...pool };
}

/** The names of the Slurm configs that jobs fall back to, in order. */
export function fallbackSchedulers(configs: readonly ListRecord[]): string[] {
  return configs
    .filter(({ fallback_order }) => fallback_order !== null)
    .sort((a, b) => Number(a.fallback_order) - Number(b.fallback_order))
    .map(({ name }) => String(name));
}

/** Retries that jobs state themselves, by the names under which they are stored. */
export function plainRetrySpecs(handlers: readonly Handler[]): Map<string, object> {
  const plain = handlers.filter(({ is_plain = false }) => is_plain);
  return new Map(
    plain.flatMap(({ name, rules: [rule] }) => {
      return rule === undefined ? [] : [[name, { max_retries: rule.max_retries, ...delaySpec(rule) }]];
    }),
  );
}

export function handlerSpec({ name, rules }: Handler): object {
  return {
    name,
    rules: rules.map(
      ({ exit_codes, match_all_exit_codes, causes = [], recovery_script, max_retries, scale, ...delays }) => ({
        ...(exit_codes.length === 0 ? {} : { exit_codes }),
        ...(match_all_exit_codes ? { match_all_exit_codes } : {}),
        ...(causes.length === 0 ? {} : { causes }),
        ...(recovery_script === null ? {} : { recovery_script }),
        max_retries,
        ...delaySpec(delays),
        ...(scale === undefined ? {} : { scale: scaleSpec(scale) }),
      }),
    ),
  };
}

function scaleSpec({ memory, runtime, max = {} }: NonNullable<Rule['scale']>): object {
  const [bytes, time] = [(value: number) => memoryText(value), (ms: number) => `PT${ms / 1000}S`];
  const limits = {
    ...(max.memory === undefined ? {} : { memory: bytes(max.memory) }),
    ...(max.runtime === undefined ? {} : { runtime: time(max.runtime) }),
  };
  return {
    ...(memory === undefined ? {} : { memory: growthSpec(memory, bytes) }),
    ...(runtime === undefined ? {} : { runtime: growthSpec(runtime, time) }),
    ...(Object.keys(limits).length === 0 ? {} : { max: limits }),
  };
}

function growthSpec(growth: Growth, text: (value: number) => string): number | string | string[] {
  if ('factor' in growth) return growth.factor;
  return 'peak' in growth ? `peak*${growth.peak}` : growth.values.map(text);
}

type Handler = NonNullable<Reply<'workflow_export'>['head']>['failure_handlers'][number];
type Rule = Handler['rules'][number];

function delaySpec(rule: Pick<Rule, 'retry_delay_ms' | 'retry_backoff' | 'retry_max_delay_ms'>): object {
  const { retry_delay_ms: delayMs = 0, retry_backoff: backoff = 1, retry_max_delay_ms: longestMs } = rule;
  if (delayMs === 0) return {};
  const hasLimit = longestMs !== undefined && longestMs !== defaultMaxDelayMs(delayMs);
  return {
    retry_delay: `PT${delayMs / 1000}S`,
    ...(backoff === 1 ? {} : { retry_backoff: backoff }),
    ...(hasLimit ? { retry_max_delay: `PT${longestMs / 1000}S` } : {}),
  };
}

export function actionSpec({ action_key: _, ...action }: ExportedAction, jobs: readonly string[]): object {
  const { trigger_type, action_type, commands, num_allocations, start_one_worker_per_node, persistent } = action;
  const isLocal = action_type === 'schedule_nodes' && action.scheduler === null;
  return {
    trigger_type,
    action_type,
    ...(isLocal ? { scheduler_type: 'local' } : {}),
    ...(jobs.length === 0 ? {} : { jobs }),
    ...(commands.length === 0 ? {} : { commands }),
    ...stated({ scheduler: action.scheduler, max_parallel_jobs: action.max_parallel_jobs }),
    ...(num_allocations === 1 ? {} : { num_allocations }),
    ...(start_one_worker_per_node ? { start_one_worker_per_node } : {}),
    ...(persistent ? { persistent } : {}),
  };
}

/** Rules without those whose webhook is a secret. */
export function notificationSpecs(rules: readonly ExportedNotification[]): object[] {
  return rules.flatMap(({ events, kind, target, token_file }) => {
    if (target === null) return [];
    return [{ on: events, to: { [kind]: target, ...stated({ token_file }) } }];
  });
}

/** The fields that have a value. */
function stated(fields: Record<string, unknown>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
