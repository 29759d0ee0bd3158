/** The fields that requests are made of. */
import { z } from 'zod';

export const key = z.string().regex(/^[1-9][0-9]{0,15}$/, 'a key is a positive whole number');
export const count = z.number().int().nonnegative();
export const age = z.number().nonnegative();
export const text = z.string().refine((s) => !s.includes('\0'), 'must not contain a NUL byte');
export const name = text.min(1).max(4096);
