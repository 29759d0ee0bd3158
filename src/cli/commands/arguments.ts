/** Arguments that many commands take. */

/** The description of a workflow key as an argument. */
export const keyArgument = 'workflow key (default: -k, TORC_WORKFLOW_KEY, or the only workflow)';
