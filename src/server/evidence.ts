export type Evidence = Record<string, never>;
export async function gatherEvidence(_s: unknown, _o: unknown): Promise<Evidence> {
  return {};
}
export function applyEvidence(_tx: unknown, _e: Evidence): void {}
