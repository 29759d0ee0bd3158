/**
 * A diagnosis as it is stored with the attempt and shown to programs. Instants are ISO 8601 UTC, sizes bytes. The schema
 * is a function: import only the type where zod must not be loaded.
 */
import { z } from 'zod';
import { reportedCauses } from '../status.ts';

export const diagnosis = () =>
  z.strictObject({
    /** Null while nothing says how it ended. */
    cause: z.enum(reportedCauses).nullable(),
    /** One or two sentences for people. */
    explanation: z.string(),
    /**
     * `running`: its worker is responding. `lost_contact`: the worker is silent and nothing shows that it is gone.
     * `gone`: its processes are known to have ended.
     */
    process: z.enum(['running', 'lost_contact', 'gone']),
    slurm_job_id: z.string().nullable(),
    /** Slurm's own word, such as OUT_OF_MEMORY or `CANCELLED by 1000`. */
    slurm_state: z.string().nullable(),
    slurm_reason: z.string().nullable(),
    hostname: z.string().nullable(),
    compute_node_key: z.string().nullable(),
    last_heartbeat: z.iso.datetime().nullable(),
    /** The most memory that was seen before contact ended. */
    peak_memory_bytes: z.number().nullable(),
    /** Null where no request was stated. */
    requested_memory_bytes: z.number().nullable(),
    node_memory_bytes: z.number().nullable(),
    /** When memory ran out: whether this job most exceeded its request, or another one on the node did. */
    role: z.enum(['culprit', 'victim']).nullable(),
    culprit_job_key: z.string().nullable(),
    culprit_job_name: z.string().nullable(),
    /** A request that would have been enough. */
    suggested_memory_bytes: z.number().nullable(),
    /** What could not be found out, each as a sentence. */
    unknown: z.array(z.string()),
  });
export type Diagnosis = z.infer<ReturnType<typeof diagnosis>>;
