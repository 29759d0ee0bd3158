/** The fields that requests are made of. */
import { z } from 'zod';

export const key = z.string().regex(/^[1-9][0-9]{0,15}$/, 'a key is a positive whole number');
export const count = z.number().int().nonnegative();
export const age = z.number().nonnegative();
/** What SQLite gives back as it was put in. */
export const text = z
  .string()
  .refine((s) => !s.includes('\0'), 'must not contain a NUL byte')
  .refine((s) => s.isWellFormed(), 'must not contain half of a character (a lone UTF-16 surrogate)');
export const name = text.min(1).max(4096);
/** It stands on the command lines of scancel and others, where a dash would make it an option. */
export const slurmJobId = z.string().regex(/^[0-9][0-9A-Za-z_+.,%[\]-]{0,99}$/, 'a Slurm job id begins with a digit');
