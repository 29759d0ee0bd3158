/** What `--auto-size` did to a workflow, in the words of the wire. */

/**
 * Why a request is not what was proposed: `not_measured`, `few_attempts`: nothing was proposed, or from too little;
 * `from_data`: a job gets it from data later; `scheduler`: its workers have no more; `expected_runtime`: it is expected
 * to take longer.
 */
export const sizeNotes = ['not_measured', 'few_attempts', 'from_data', 'scheduler', 'expected_runtime'] as const;
export type SizeNote = (typeof sizeNotes)[number];

/** Null for what is not stated or not known. */
export interface SizedField {
  requested: number | null;
  p95: number | null;
  max: number | null;
  proposed: number | null;
  new_request: number | null;
  note: SizeNote | null;
}

/** Of jobs with names of one form that asked for the same. */
export interface JobSize {
  stem: string;
  /** As written. */
  resource_requirements: string | null;
  scheduler: string | null;
  num_jobs: number;
  /** Of earlier jobs. */
  num_attempts: number;
  memory_bytes: SizedField;
  runtime_seconds: SizedField;
}

export interface AutoSize {
  /** Those whose jobs were measured. */
  workflow_keys: string[];
  sizes: JobSize[];
  /** Jobs with names of further forms, of which none was measured. */
  num_unlisted: number;
}
