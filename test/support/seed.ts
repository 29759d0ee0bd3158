/**
 * Property tests draw the same cases in every run, so that a commit that passed passes again; `TORC_TEST_SEED` draws
 * others, and `random` new ones each time.
 */
import fc from 'fast-check';

const seed = process.env.TORC_TEST_SEED ?? '1';
if (seed !== 'random') fc.configureGlobal({ seed: Number(seed) });
