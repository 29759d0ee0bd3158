/** Which nodes of KDL are elements of lists, values of lists, or objects by themselves. */

/** How the nodes inside an object are read. */
export interface Shape {
  /** Nodes that add one element to a list of objects, by their names; its argument is the element's name. */
  objects?: Readonly<Record<string, { list: string; shape: Shape }>>;
  /** Nodes whose arguments are added to a list. */
  lists?: Readonly<Record<string, string>>;
  /** Nodes that are an object by themselves. */
  single?: Readonly<Record<string, Shape>>;
  /** Nodes whose text is JSON. */
  json?: readonly string[];
}

/** For each list of texts, the names of the nodes that add to it. */
function lists(...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((list) => [list, list.replace(/(regex)es$|s$/, '$1')].map((node) => [node, list])),
  );
}

const plain: Shape = {};
const factory: Shape = {
  objects: { parameter: { list: 'parameters', shape: { lists: lists('values') } } },
  lists: lists('jobs'),
};
const swept = { lists: lists('use_parameters'), single: { parameters: plain } };
const job: Shape = {
  lists: {
    ...lists('use_parameters', 'depends_on_regexes', 'input_files', 'input_file_regexes', 'output_files'),
    ...lists('labels', 'limits', 'output_file_regexes', 'input_user_data_regexes', 'output_user_data_regexes'),
    depends_on: 'depends_on',
    depends_on_job: 'depends_on',
    input_user_data: 'input_user_data',
    output_user_data: 'output_user_data',
  },
  objects: { step: { list: 'steps', shape: plain } },
  single: { parameters: plain, factory, attributes: plain, args: plain, env: plain, stdio: plain },
};
const monitor: Shape = { single: { jobs: plain, compute_node: plain } };
const handler: Shape = {
  objects: {
    rule: {
      list: 'rules',
      shape: {
        lists: lists('exit_codes', 'causes'),
        single: { scale: { json: ['memory', 'runtime'], single: { max: plain } } },
      },
    },
  },
};
export const workflow: Shape = {
  objects: {
    job: { list: 'jobs', shape: job },
    template: { list: 'templates', shape: { lists: lists('key_args', 'op_args') } },
    file: { list: 'files', shape: swept },
    user_data: { list: 'user_data', shape: { ...swept, json: ['data'] } },
    resource_requirements: { list: 'resource_requirements', shape: plain },
    failure_handler: { list: 'failure_handlers', shape: handler },
    slurm_scheduler: { list: 'slurm_schedulers', shape: { lists: lists('labels') } },
    action: { list: 'actions', shape: { lists: lists('jobs', 'job_name_regexes', 'commands') } },
    notification: {
      list: 'notifications',
      shape: { lists: { on: 'on' }, single: { to: { lists: { email: 'email' } } } },
    },
    factories: { list: 'factories', shape: factory },
  },
  single: {
    ...{
      parameters: plain,
      slurm_defaults: plain,
      resource_monitor: monitor,
      execution_config: { single: { stdio: plain } },
      dynamic_jobs: plain,
      factory,
    },
    ...{ attributes: plain, workflow_attributes: plain, limits: plain, env: plain, variables: plain },
  },
  lists: lists('access_groups', 'fallback_schedulers'),
  json: ['metadata'],
};
