// Reads what a verifier made by spin prints. Whatever does not clearly say that it has looked at everything is a failure.

/**
 * What a search found: `verdict` is `complete` (everything was looked at, no error), `error` (one was found) or `incomplete`;
 * `why` is the line that says so, null when complete.
 */
export function readSearch(output) {
  const number = (pattern) => Number(pattern.exec(output)?.[1] ?? Number.NaN);
  const found = {
    errors: number(/^State-vector .* errors: (\d+)\s*$/m),
    depth: number(/^State-vector .* depth reached (\d+),/m),
    states: number(/^\s*(\d+) states, stored/m),
    transitions: number(/^\s*(\d+) transitions /m),
    megabytes: number(/^\s*([\d.]+)\s+total actual memory usage/m),
  };
  const line = (pattern) => pattern.exec(output)?.[0].trim() ?? null;
  // a depth or a memory limit also counts as an error in spin's own number
  const limit = line(
    /^.*(max search depth too small|-DMEMLIM|out of memory|hash table is full|Bit statespace search).*$/im,
  );
  if (limit !== null) return { ...found, verdict: 'incomplete', why: limit };
  if (found.errors > 0) {
    const why = line(/^pan:\d+: .*$/m) ?? `${found.errors} errors, and no line that says which`;
    return { ...found, verdict: 'error', why };
  }
  const notCompleted = line(/^.*(Search not completed|interrupted|aborted).*$/im);
  if (notCompleted !== null) return { ...found, verdict: 'incomplete', why: notCompleted };
  const isMissing = [found.errors, found.states, found.depth].some(Number.isNaN);
  if (isMissing) return { ...found, verdict: 'incomplete', why: 'it did not print its results' };
  if (!/^Full statespace search/m.test(output)) return { ...found, verdict: 'incomplete', why: 'not a full search' };
  return { ...found, verdict: 'complete', why: null };
}
