/** An exported workflow as a specification; its results and events are for an import only. */
import { TorcError } from '../../base/errors.ts';
import { isMapping } from './check.ts';
import type { ReadDocument } from './source.ts';

export const exportFormat = 'torc-export';
export const exportVersion = 1;

export function isExport(value: unknown): value is Record<string, unknown> {
  return isMapping(value) && value.format === exportFormat;
}

/** Throws TorcError 'invalid_spec' for an export that a later version of torc wrote. */
export function refuseOtherVersion({ version }: Record<string, unknown>, file: string): void {
  if (version === exportVersion) return;
  const message = `${file} is an export of version ${String(version)}, and this torc reads ${exportVersion}`;
  throw new TorcError('invalid_spec', message, 'Read it with a newer version of torc.');
}

/** The specification in an export; any other document unchanged. */
export function withoutHistory(document: ReadDocument, file: string): ReadDocument {
  const { value, where } = document;
  if (!isExport(value)) return document;
  refuseOtherVersion(value, file);
  return {
    value: value.workflow,
    where: (places) => where(places.map((place) => ({ ...place, path: ['workflow', ...place.path] }))),
  };
}
