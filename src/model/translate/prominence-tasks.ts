/** The tasks of a PROMINENCE job as commands of a shell, each in the job's own folder. */
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { ProminenceJob, ProminenceTask } from './prominence-format.ts';
import { type Replaced, shellWordOf, splitWords, WordsProblem } from './shell-words.ts';
import type { Remarks } from './translation.ts';

/** What the tasks of a job share. */
export interface TaskPlace {
  job: ProminenceJob;
  replaced: Replaced;
  findings: Findings;
  remarks: Remarks;
  /** What PROMINENCE gives to every task, as `export ..`, or nothing. */
  exports: string;
  numNodes: number;
  numCpus: number;
  /** Notes a file that has to be in the directory of the workflow. */
  needsFile(name: string): void;
}

/** Makes the folder of a job and enters it; `$OLDPWD` is then the directory of the workflow. */
export const enterFolder = 'mkdir -p -- "$TORC_JOB_NAME" && cd -- "$TORC_JOB_NAME" || exit';

/** What the folder of a job is called in a container. */
const home = '/home/user';

/** The commands of a task, one for each line of its command; none for a task without a counterpart. */
export function taskCommands(task: ProminenceTask, path: SpecPath, place: TaskPlace): string[] {
  if (task.type === 'sidecar') {
    place.remarks.leaveOut([...path, 'type'], 'jobs of torc have no sidecar tasks: this one is left out', 'value');
    return [];
  }
  tellOf(task, path, place);
  const environment = environmentOf(task, path, place);
  const workdir = task.workdir ?? task.workDir ?? null;
  const isBare = task.image == null;
  const script = scriptOf(task, workdir, path);
  const lines = script === null ? linesOf(task, path, place) : [[script.word]];
  if (isBare && lines.some((words) => words.length === 0)) {
    place.findings.add(path, () => 'has neither an image nor a command');
  }
  return lines.map((words) => {
    const run = isBare ? words : [...container(task, words, workdir, path, place), ...words];
    return [
      enterFolder,
      ...(place.exports === '' ? [] : [place.exports]),
      ...(script?.lines ?? []),
      ...(isBare && workdir !== null ? [`cd -- ${shellWordOf(workdir, place.replaced)} || exit`] : []),
      [...environment, ...launcher(task, place), ...run].join(' '),
    ].join('\n');
  });
}

/** A command that begins like a script is a file of the job's folder, which its interpreter runs. */
function scriptOf({ cmd, image }: ProminenceTask, workdir: string | null, path: SpecPath): Script | null {
  if (cmd?.startsWith('#!') !== true) return null;
  const name = `.task_${Number(path.at(-1)) + 1}`;
  const lines = [...fileLines(name, Buffer.from(cmd).toString('base64')), `chmod +x -- ${name}`];
  const onHost = workdir === null ? `./${name}` : `"$OLDPWD"/${name}`;
  return { word: image == null ? onHost : `${home}/${name}`, lines };
}

interface Script {
  /** As the command of the task. */
  word: string;
  /** What writes it. */
  lines: string[];
}

/** Writes a file in the folder of the job; base64 keeps every byte, and nothing in it looks like a parameter. */
export function fileLines(word: string, base64: string): string[] {
  return [`base64 --decode > ${word} <<'end_of_file'`, ...(base64.match(/.{1,120}/g) ?? []), 'end_of_file'];
}

function tellOf(task: ProminenceTask, path: SpecPath, { remarks, numNodes }: TaskPlace): void {
  if (task.imagePullCredential != null) {
    const how = 'give them to apptainer registry login, or as APPTAINER_DOCKER_USERNAME and APPTAINER_DOCKER_PASSWORD';
    remarks.leaveOut([...path, 'imagePullCredential'], `credentials do not belong in a specification: ${how}`);
  }
  if (task.imageSha256 != null) remarks.leaveOut([...path, 'imageSha256'], 'the checksum of an image is not checked');
  if (task.stdout != null) remarks.leaveOut([...path, 'stdout'], 'output stays with torc: torc jobs logs');
  if (task.runtime === 'udocker') {
    remarks.differ([...path, 'runtime'], 'apptainer runs the image instead; the file system in it is read-only');
  }
  if (numNodes > 1 && isMpi(task)) {
    remarks.differ(
      [...path, 'type'],
      'srun starts the ranks: the MPI of the image has to work with that of the cluster',
    );
  }
}

function isMpi({ type }: ProminenceTask): boolean {
  return type === 'openmpi' || type === 'mpich' || type === 'intelmpi';
}

/** The words of each command, with mpirun on one node; a line without words for what the image runs by itself. */
function linesOf(task: ProminenceTask, path: SpecPath, place: TaskPlace): string[][] {
  const { findings, replaced, numCpus, numNodes } = place;
  try {
    const lines = splitWords([task.cmd, task.args].filter((text) => text != null).join(' '));
    const mpirun = isMpi(task) && numNodes === 1 ? ['mpirun', '-np', String(task.procsPerNode ?? numCpus)] : [];
    if (lines.length === 0) return [[]];
    return lines.map((words) => [...mpirun, ...words.map((word) => shellWordOf(word, replaced))]);
  } catch (error) {
    if (!(error instanceof WordsProblem)) throw error;
    findings.add([...path, task.cmd == null ? 'args' : 'cmd'], () => error.message);
    return [];
  }
}

/** The way to the nodes of a job that has several: its command starts on the worker's node, which may be another. */
function launcher(task: ProminenceTask, { job, numCpus, numNodes }: TaskPlace): string[] {
  if (numNodes === 1) return [];
  const isEverywhere = job.policies?.runSerialTasksOnAllNodes === true;
  if (!isMpi(task) && !isEverywhere) return [`srun --nodes=1 --ntasks=1 --nodelist="\${TORC_NODE_LIST%%,*}"`];
  const perNode = isMpi(task) ? (task.procsPerNode ?? numCpus) : 1;
  return [`srun --nodes="$TORC_NUM_NODES" --ntasks-per-node=${perNode} --nodelist="$TORC_NODE_LIST"`];
}

function environmentOf(task: ProminenceTask, path: SpecPath, { findings, replaced }: TaskPlace): string[] {
  return Object.entries(task.env ?? {}).map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      findings.add([...path, 'env', name], () => 'is not the name of a variable', 'key');
    }
    return `${name}=${shellWordOf(String(value), replaced)}`;
  });
}

function container(
  { image }: ProminenceTask,
  words: readonly string[],
  workdir: string | null,
  path: SpecPath,
  place: TaskPlace,
): string[] {
  const { replaced, job } = place;
  const inside = workdir === null ? home : workdir.startsWith('/') ? workdir : `${home}/${workdir}`;
  const mounts = (job.artifacts ?? []).flatMap(({ mountpoint }) => {
    return mountpoint == null ? [] : [`--bind "$PWD/"${shellWordOf(mountpoint, replaced)}`];
  });
  const start = `apptainer ${words.length === 0 ? 'run' : 'exec'} --home "$PWD:${home}"`;
  return [
    start,
    `--pwd ${shellWordOf(inside, replaced)}`,
    ...mounts,
    imageWord(image ?? '', [...path, 'image'], place),
  ];
}

/** An image as apptainer names it: a name without a scheme is one of Docker Hub or another registry. */
function imageWord(image: string, path: SpecPath, { replaced, remarks, needsFile }: TaskPlace): string {
  const isUrl = /^https?:/.test(image);
  const isArchive = /\.(?:tar|tgz)$/.test(image);
  if (isUrl && isArchive) remarks.leaveOut(path, 'apptainer runs no archive from a URL: download it', 'value');
  else if (/^[a-z-]+:\//.test(image)) return shellWordOf(image, replaced);
  const file = isUrl ? image.slice(image.lastIndexOf('/') + 1) : image;
  if (!isArchive && !/\.(?:sif|simg)$/.test(file) && !file.startsWith('/'))
    return `docker://${shellWordOf(file, replaced)}`;
  const isHere = !file.startsWith('/');
  if (isHere) needsFile(file);
  const word = `${isHere ? '"$OLDPWD/"' : ''}${shellWordOf(file, replaced)}`;
  return isArchive ? `docker-archive:${word}` : word;
}
