/** The pages of the site in the order of its menu. Each document in docs/ is in exactly one section. */
export const sections = [
  { title: 'Start', pages: ['README.md', 'docs/installation.md'] },
  { title: 'Tutorials', pages: ['docs/tutorial.md', 'docs/tutorial-slurm.md', 'docs/examples.md'] },
  {
    title: 'How-to',
    pages: [
      'docs/how-to.md',
      'docs/running.md',
      'docs/exec.md',
      'docs/configuration.md',
      'docs/planning.md',
      'docs/autoscaling.md',
      'docs/multi-node.md',
      'docs/data.md',
      'docs/output.md',
      'docs/children.md',
      'docs/warm.md',
      'docs/failure-handlers.md',
      'docs/troubleshooting.md',
      'docs/recovery.md',
      'docs/resume.md',
      'docs/limits.md',
      'docs/pools.md',
      'docs/actions.md',
      'docs/notifications.md',
      'docs/schedules.md',
      'docs/reports.md',
      'docs/status.md',
      'docs/terminal-view.md',
      'docs/dashboard.md',
      'docs/assistants.md',
      'docs/networks.md',
    ],
  },
  {
    title: 'Reference',
    pages: [
      'docs/specification.md',
      'specification-keys',
      'commands',
      'docs/python.md',
      'docs/python-reference.md',
      'docs/library.md',
      'docs/http.md',
      'endpoints',
      'docs/monitoring.md',
      'CHANGELOG.md',
    ],
  },
  {
    title: 'Concepts',
    pages: [
      'docs/concepts.md',
      'docs/what-it-is-not.md',
      'docs/architecture.md',
      'docs/node.md',
      'docs/reliability.md',
      'docs/security.md',
      'bench/RESULTS.md',
    ],
  },
  {
    title: 'Decisions',
    pages: [
      'docs/decision-sqlite.md',
      'docs/decision-one-owner.md',
      'docs/decision-no-srun.md',
      'docs/decision-tls-pin.md',
      'docs/decision-losses.md',
    ],
  },
  {
    title: 'Coming from',
    pages: [
      'docs/coming-from-parallel.md',
      'docs/coming-from-job-arrays.md',
      'docs/coming-from-hyperqueue.md',
      'docs/coming-from-snakemake.md',
      'docs/coming-from-nextflow.md',
      'docs/coming-from-parsl.md',
      'docs/coming-from-torc.md',
      'docs/coming-from-jobmon.md',
      'docs/coming-from-prominence.md',
      'docs/coming-from-colonies.md',
    ],
  },
];

/** Documents on the site that are in no section. */
export const others = ['CONTRIBUTING.md', 'THIRD_PARTY.md', 'python/README.md', 'bench/COSTS.md', 'docker/README.md'];

/** What the menu calls pages whose title says less there. */
export const shortTitles = {
  'README.md': 'What torc is',
  'CHANGELOG.md': 'Changes',
  'docs/tutorial.md': 'On one machine',
  'docs/tutorial-slurm.md': 'On a Slurm cluster',
  'docs/exec.md': 'Without a specification',
  'docs/autoscaling.md': 'Autoscaling',
  'docs/recovery.md': 'Recovery',
  'docs/resume.md': 'Resume',
  'docs/limits.md': 'Limits',
  'docs/pools.md': 'Pools',
  'docs/schedules.md': 'Schedules',
  'docs/status.md': 'Status',
  'docs/terminal-view.md': 'Terminal view',
  'docs/dashboard.md': 'Dashboard',
  'docs/networks.md': 'Networks',
  'docs/specification.md': 'Specification',
  'specification-keys': 'Keys of a specification',
  'docs/python.md': 'Python',
  'docs/python-reference.md': 'Python reference',
  'docs/library.md': 'TypeScript',
  'docs/node.md': 'CPUs, GPUs and Slurm steps',
  'bench/RESULTS.md': 'Measurements',
  'docs/concepts.md': 'How torc works',
  'docs/decision-sqlite.md': 'SQLite in a file',
  'docs/decision-one-owner.md': 'One owner',
  'docs/decision-no-srun.md': 'No srun by default',
  'docs/decision-tls-pin.md': 'TLS with a pin',
  'docs/decision-losses.md': 'Losses come back',
  'docs/coming-from-parallel.md': 'GNU parallel',
  'docs/coming-from-job-arrays.md': 'Job arrays',
  'docs/coming-from-hyperqueue.md': 'HyperQueue',
  'docs/coming-from-snakemake.md': 'Snakemake',
  'docs/coming-from-nextflow.md': 'Nextflow',
  'docs/coming-from-parsl.md': 'Parsl',
  'docs/coming-from-torc.md': 'torc 0.12 and 1.0',
  'docs/coming-from-jobmon.md': 'Jobmon',
  'docs/coming-from-prominence.md': 'PROMINENCE',
  'docs/coming-from-colonies.md': 'ColonyOS',
};

/** The file of a page on the site; all are in one folder. */
export function fileOf(page) {
  if (page === 'README.md') return 'index.html';
  const name = page
    .replace(/^docs\//, '')
    .replace(/^(examples\/.*)\/README\.md$/, '$1')
    .replace(/\.md$/, '');
  return `${name.toLowerCase().replaceAll('/', '-')}.html`;
}
