/** Names, paths and commands with everything in them that shells and Slurm give a meaning to. */
import { posix } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { output, requireCluster, slurm } from './cluster.ts';
import { type Site, siteFor } from './site.ts';

beforeAll(requireCluster);

/** Fit for a file's name; sbatch's scripts and output paths take no line breaks and no backslash. */
const oddName = `-it's "a" $HOME \`id\` $(touch pwned) #x %x %j é漢字 ; & | * ? ! ~ [a] {b,c} <>`;

const oddNames = [
  oddName,
  'two\nlines\n',
  '\ttabs\tand  spaces ',
  '--help',
  '-n',
  "'",
  '"',
  '$TORC_JOB_NAME',
  '\\',
  '../../up',
  'null',
  '𝄞 \u202e right to left',
];

/** Commands and what they must print. */
const commands: readonly [command: string, stdout: string][] = [
  [`printf '%s\\n' 'it'"'"'s' "$((6 * 7))" \\$HOME`, "it's\n42\n$HOME\n"],
  ['echo one\necho two # three\n\necho "four\nfive"', 'one\ntwo\nfour\nfive\n'],
  ['cat <<\'END\'\n$HOME `id` "quoted" \\\nEND', '$HOME `id` "quoted" \\\n'],
  ['-dash() { printf "<%s>" "$@"; }; -dash -n --help', '<-n><--help>'],
  ['  echo leading; ', 'leading\n'],
  ['echo 漢字 é 𝄞 | sed s/é/e/', '漢字 e 𝄞\n'],
  ['a=(one two); echo "$a" {x,y} !', 'one x y !\n'],
  ['exec 3>&1; echo err >&2; echo out >&3', 'out\n'],
];

describe.concurrent('odd names', () => {
  it('run unharmed through sbatch: directories, job names, commands, files, job prefix', async (context) => {
    const site = await siteFor(context, `cwd ${oddName}`, `server ${oddName}`);
    await site.startServer();
    const named = oddNames.map((name, i) => ({
      name,
      command: 'printf "%s|%s|%s" "$TORC_JOB_NAME" "$TORC_OUTPUT_DIR" "$TORC_DIR"',
      depends_on: i === 0 ? [] : [oddNames[i - 1]],
    }));
    const commanded = commands.map(([command], i) => ({ name: `command ${i}`, command }));
    const filed = [
      { name: 'writes', command: 'printf made > "$PWD/made $(echo é)"', output_files: [oddName] },
      { name: 'reads', command: 'cat "made é"', input_files: [oddName] },
      { name: 'invoked', command: '-x "a b"', invocation_script: "./'-tool' --" },
    ];
    await site.write('-tool', '#!/bin/sh\nprintf "<%s>" "$@"\n');
    await output(['chmod', '+x', `${site.path}/-tool`]);
    const key = await site.start({
      name: oddName,
      // what looks like a variable in a path is one; the directory below which a relative path lies is never read so
      files: [{ name: oddName, path: 'made é' }],
      jobs: [
        ...named,
        ...commanded,
        ...filed.map((job) => ({ ...job, invocation_script: job.invocation_script ?? null })),
      ],
    });
    const comment = `it's "two" words`;
    await site.addConfig(
      key,
      '-N',
      oddName,
      '-w',
      '10',
      '-m',
      '200',
      `--extra=--cpus-per-task=2 --comment="it's \\"two\\" words"`,
    );
    const scheduled = await site.schedule(key, '-n', '1', '-k', `--output=${oddName}`, `--job-prefix=${oddName}`);
    const total = named.length + commanded.length + filed.length;
    const prefix = `${oddName}_${key}_`;
    const id = scheduled.allocations[0]?.slurm_job_id ?? '';
    expect(scheduled.allocations[0]?.name.startsWith(prefix)).toBe(true);
    const seen = await slurm(['squeue', '-h', '-j', id, '-t', 'all', '-O', 'comment:200']);
    expect(seen.trimEnd()).toBe(comment);
    await site.ended(key);
    expect((await site.results(key)).filter((result) => result.cause !== 'success')).toEqual([]);
    expect(await site.shown(key)).toMatchObject({ status: 'done', num_done: total, num_failed: 0, name: oddName });

    const stdout = await stdoutByName(site, key);
    const outputDirectory = posix.join(site.path, oddName);
    for (const name of oddNames) expect(stdout.get(name)).toBe(`${name}|${outputDirectory}|${site.directory}`);
    for (const [i, [, wanted]] of commands.entries()) expect(stdout.get(`command ${i}`)).toBe(wanted);
    expect(stdout.get('reads')).toBe('made');
    expect(stdout.get('invoked')).toBe('<--><-x><a b>');
    // nothing was run that stood in a name
    expect(await output(['find', site.path, '-name', 'pwned'])).toBe('');
    await site.queueEmpty();
    const slurmFiles = await output(['ls', `${site.directory}/slurm_stdio`]);
    expect(slurmFiles.trim()).toBe(`${scheduled.allocations[0]?.name}_${id}.out`);
  });
});

/** What each job printed in its first attempt, by the job's name. */
async function stdoutByName(site: Site, key: string): Promise<Map<string, string>> {
  const files = await site.files(`${oddName}/job_stdio/0000`);
  const jobs = await site.jobs(key);
  return new Map(jobs.map((job) => [job.name, files.get(`job_${job.job_key}_run_1_attempt_1.out`) ?? '']));
}
