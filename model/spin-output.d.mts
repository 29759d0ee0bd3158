export interface Search {
  errors: number;
  depth: number;
  states: number;
  transitions: number;
  megabytes: number;
  verdict: 'complete' | 'error' | 'incomplete';
  why: string | null;
}
export function readSearch(output: string): Search;
