/** The texts of resource requirements that come from data, as in a specification. */
import { z } from 'zod';

const field = z.string().max(10_000).exactOptional();

export const fromData = z.strictObject({ num_cpus: field, memory: field, num_gpus: field, runtime: field });
