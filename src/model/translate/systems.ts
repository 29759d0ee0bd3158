/** The systems whose workflows are read: here, so that a command line learns their names and loads nothing else. */
export const foreignSystems = ['prominence', 'colonies'] as const;
export type ForeignSystem = (typeof foreignSystems)[number];
