/** Long options of a script's `#SBATCH` lines, by name; a flag has the value ''. Throws for an open quotation. */
export function directivesOf(script: string): Record<string, string>;
/** Seconds of `D-HH:MM:SS` and its shorter forms. */
export function secondsOf(time: string): number | null;
