/**
 * What a cluster offers, in the words of the wire: its partitions with their limits and their nodes by kind. The schemas
 * are functions: import only the types where zod must not be loaded.
 */
import { z } from 'zod';

const count = z.number().int().nonnegative();
const text = z.string().max(4096);

const gpus = () => z.strictObject({ type: text.nullable(), count });
export type Gpus = z.infer<ReturnType<typeof gpus>>;

/** Nodes of a partition that have the same of everything. */
const nodeKind = () =>
  z.strictObject({
    num_nodes: count,
    /** Neither down nor drained. */
    num_usable: count,
    /** Without a job, and free for one. */
    num_idle: count,
    /** What jobs can have: hardware threads where Slurm counts these. */
    num_cpus: count,
    sockets: count.nullable(),
    cores_per_socket: count.nullable(),
    threads_per_core: count.nullable(),
    /** Without what the site keeps for itself. */
    memory_bytes: count,
    gpus: z.array(gpus()).max(64),
  });
export type NodeKind = z.infer<ReturnType<typeof nodeKind>>;

const partition = () =>
  z.strictObject({
    name: text,
    is_default: z.boolean(),
    is_up: z.boolean(),
    /** Null: no limit. */
    max_time_seconds: count.nullable(),
    /** What a job gets that names no time; null: the longest. */
    default_time_seconds: count.nullable(),
    /** Of one allocation; null: no limit. */
    max_nodes: count.nullable(),
    min_nodes: count,
    max_cpus_per_node: count.nullable(),
    max_memory_bytes_per_node: count.nullable(),
    /** What an allocation gets that asks for no memory; absent: all that its nodes have, or not known. */
    default_memory: z.strictObject({ per: z.enum(['cpu', 'node']), bytes: count }).optional(),
    /** Allocations get whole nodes, whatever they ask for. */
    gives_whole_nodes: z.boolean(),
    /** Whose limits apply to the partition as a whole. */
    qos: text.nullable(),
    /** Null: all of them. */
    allowed_qos: z.array(text).max(1000).nullable(),
    allowed_accounts: z.array(text).max(10_000).nullable(),
    nodes: z.array(nodeKind()).max(1000),
  });
export type Partition = z.infer<ReturnType<typeof partition>>;

export const siteProfile = () =>
  z.strictObject({
    cluster: text.min(1),
    slurm_version: text.nullable(),
    partitions: z.array(partition()).max(1000),
  });
export type SiteProfile = z.infer<ReturnType<typeof siteProfile>>;
