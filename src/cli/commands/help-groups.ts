/** The help of the program: its commands by what they are for, each in a few words. */
import { Command } from 'commander';

const lastHeading = 'This installation';

const groups: readonly (readonly [heading: string, commands: Readonly<Record<string, string>>])[] = [
  [
    'Run and watch',
    {
      run: 'run a specification on this machine',
      submit: 'run a specification on Slurm',
      exec: 'run commands without a specification',
      example: 'examples to copy and run',
      status: 'how workflows are doing, and what to type next',
      watch: 'follow a workflow until it ends',
      tui: 'all of it on the whole terminal, with actions',
      dash: 'look at workflows in a browser',
      mcp: 'let an assistant read, plan, and do what you agree to',
      wait: 'wait for a workflow without output',
      why: 'why a job waits or failed',
      logs: 'what jobs printed',
      'rerun-failed': 'run what failed again',
    },
  ],
  [
    'Workflows (short for torc workflows ..)',
    {
      create: 'store a workflow without starting it',
      start: 'start a stored workflow',
      list: 'list workflows',
      pause: 'start no more jobs for now',
      resume: 'continue',
      cancel: 'stop jobs and cancel the rest',
      restart: 'run what did not finish or has changed',
      recover: 'run lost jobs again',
      clone: 'copy a workflow; all jobs run',
      rerun: 'run the rest in a new workflow',
      delete: 'delete workflows and results',
    },
  ],
  [
    'All commands by subject',
    {
      workflows: 'inspect, change, export and graph workflows',
      jobs: 'list, inspect, cancel, hold and change jobs',
      results: 'return codes, causes, times and memory',
      files: 'files that jobs read and write',
      'user-data': 'JSON documents that jobs read and write',
      'resource-requirements': 'CPUs, memory, GPUs and runtime',
      hpc: 'Slurm settings and allocations (hpc slurm ..)',
      'compute-nodes': 'nodes that workers run on',
      events: 'what happened, in order',
      actions: 'what a workflow does by itself',
      notifications: 'who is notified when workflows end',
      schedules: 'workflows that start at certain times',
      generators: 'workflows that start when enough has come in',
      limits: 'how many jobs run at once',
      reports: 'what jobs use against what they ask for',
      graphs: 'draw workflows',
      'import-spec': 'read a workflow of another system',
    },
  ],
  [
    lastHeading,
    {
      server: 'the server that workers connect to',
      config: 'show and check the configuration',
      docs: 'where the documentation is; find a section',
      doctor: 'check this installation',
      completion: 'completion for bash, zsh and fish',
    },
  ],
];

/** Orders the commands of the program and gives each its heading and its few words; unknown ones come last. */
export function groupCommands(program: Command): void {
  const order = groups.flatMap(([, named]) => Object.keys(named));
  const place = (command: Command): number =>
    order.includes(command.name()) ? order.indexOf(command.name()) : order.length;
  // commander prints the headings in the order of the commands
  (program.commands as Command[]).sort((a, b) => place(a) - place(b));
  for (const [heading, commands] of groups) {
    for (const command of program.commands) {
      const words = commands[command.name()];
      if (words !== undefined) command.helpGroup(`${heading}:`).summary(words);
    }
  }
  const help = new Command('help').argument('[command..]').helpGroup(`${lastHeading}:`);
  program.addHelpCommand(help.description('help for a command'));
}
