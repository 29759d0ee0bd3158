/** Arguments that many commands take. */

/** What every command says of the workflow that it takes as its argument. */
export const keyArgument = 'workflow key (default: -k, TORC_WORKFLOW_KEY, or the only workflow)';
