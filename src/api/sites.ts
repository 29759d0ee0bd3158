/** What clusters offer, as Slurm said it last. */
import { z } from 'zod';
import { siteProfile } from '../model/plan/site.ts';
import { instant } from './fields.ts';

export const putSite = z.strictObject({ site: siteProfile() });
export const sitePut = () => z.strictObject({ cluster: z.string(), refreshed_at: instant });

export const listSites = z.strictObject({});
const storedSite = () => siteProfile().extend({ refreshed_at: instant });
export type StoredSite = z.infer<ReturnType<typeof storedSite>>;
/** The one that was refreshed last comes first. */
export const sitesListed = () => z.strictObject({ sites: z.array(storedSite()) });
