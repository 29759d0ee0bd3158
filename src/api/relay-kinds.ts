/** How the server starts a relay on a node: as a step of the allocation, or by ssh. */
export const relayKinds = ['off', 'slurm', 'ssh'] as const;
export type RelayKind = (typeof relayKinds)[number];
