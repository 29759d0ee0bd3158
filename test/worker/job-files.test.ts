/** Declared files and output user data of jobs that really run. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { readSpool } from '../../src/api/spool.ts';
import { sharedValuePaths, userDataPaths, workerPaths } from '../../src/base/paths.ts';
import { openFileReader } from '../../src/worker/files/file-reader.ts';
import { openValueFiles } from '../../src/worker/files/values.ts';
import { assignment, FakeServer, type Finished, type JobSpec } from './fake-server.ts';
import { startWorker, type TestWorker, until } from './run.ts';

const oddNames = ['plain', 'with space', 'it\'s "quoted"', 'new\nline', '-rf', '$HOME `id` *', 'größe 数 🙂', 'a\\b'];

function sha256(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Adds the job, lets the worker end, and gives the job's report. */
async function report(worker: TestWorker, job: JobSpec): Promise<Finished> {
  worker.server.add(job);
  await worker.exit;
  const finished = worker.server.attempts.get(1)?.finished;
  if (finished == null) throw new Error('the job has no end');
  return finished;
}

/** The placeholder in a command for the path of output user data. */
function place(name: string): string {
  return `\${user_data.output.${name}}`;
}

function files(paths: readonly string[], is_output: boolean, firstKey = 1) {
  return paths.map((path, index) => ({ file_key: firstKey + index, path, is_output }));
}

describe('declared files', () => {
  it('find their folders, unless the workflow does not want that', async () => {
    for (const create_output_folders of [true, false]) {
      const server = new FakeServer();
      server.settings = { ...server.settings, create_output_folders };
      const worker = startWorker(server);
      const path = join(worker.directory, 'a/b/out.txt');
      const end = await report(worker, { command: `echo done > '${path}'`, files: files([path], true) });
      expect(end).toMatchObject(create_output_folders ? { return_code: 0, detail: null } : { return_code: 1 });
      expect(existsSync(join(worker.directory, 'a'))).toBe(create_output_folders);
    }
  });

  it('are named when the job left one as it was before', async () => {
    const worker = startWorker();
    const [old, fresh] = [join(worker.directory, 'old.txt'), join(worker.directory, 'fresh.txt')];
    for (const path of [old, fresh]) writeFileSync(path, 'from before');
    // the time of the last change cannot be set
    const { now } = Date;
    vi.spyOn(Date, 'now').mockImplementation(() => now() + 60_000);
    onTestFinished(() => void vi.restoreAllMocks());
    const end = await report(worker, { command: `echo new > '${fresh}'`, files: files([old], true) });
    expect(end).toMatchObject({ status: 'done', return_code: 0, cause: 'success' });
    expect(end.detail).toBe(`it did not write its declared output "${old}", which was there before`);
  });

  it('are reported as they were: inputs at the start, outputs at the end, whatever their names', async () => {
    const worker = startWorker();
    const inputs = oddNames.map((name) => join(worker.directory, `in ${name}`));
    const outputs = oddNames.map((name) => join(worker.directory, name));
    for (const [index, path] of inputs.entries()) writeFileSync(path, `content ${index}`);
    const before = inputs.map((path) => statSync(path, { bigint: true }));
    const command = inputs.map((path, index) => `cat ${quoted(path)} > ${quoted(outputs[index] ?? '')}`).join('\n');
    const { files: states = [], ...end } = await report(worker, {
      command: `${command}; rm ${quoted(inputs[0] ?? '')}; sleep 0.1`,
      files: [...files(inputs, false), ...files(outputs, true, 101)],
    });
    expect(end).toMatchObject({ status: 'done', return_code: 0, cause: 'success' });
    expect(states).toHaveLength(2 * oddNames.length);
    for (const [index, path] of outputs.entries()) {
      const { size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
      const times = { modified_us: Number(mtimeNs / 1000n), changed_us: Number(ctimeNs / 1000n) };
      const state = states.find((found) => found.file_key === 101 + index);
      expect(state).toMatchObject({ is_output: true, size_bytes: Number(size), ...times });
      expect(state?.content_hash).toBe(sha256(`content ${index}`));
    }
    for (const [index, stats] of before.entries()) {
      const state = states.find((found) => found.file_key === 1 + index);
      expect(state).toMatchObject({ is_output: false, size_bytes: 9, modified_us: Number(stats.mtimeNs / 1000n) });
    }
  });

  it('are found by relative paths and through links; output directories and missing inputs have no hash', async () => {
    const worker = startWorker();
    const { directory } = worker;
    writeFileSync(join(directory, 'target'), 'x');
    symlinkSync('target', join(directory, 'link'));
    symlinkSync('nothing', join(directory, 'broken'));
    const out = join(directory, 'a directory');
    const { files: states, return_code } = await report(worker, {
      command: `mkdir ${quoted(out)}; touch ${quoted(`${out}/x`)}`,
      files: [
        { file_key: 1, path: relative(process.cwd(), join(directory, 'target')), is_output: false },
        { file_key: 2, path: join(directory, 'link'), is_output: false },
        { file_key: 3, path: join(directory, 'broken'), is_output: false },
        { file_key: 4, path: join(directory, 'target/below a file'), is_output: false },
        { file_key: 5, path: out, is_output: true },
      ],
    });
    expect(return_code).toBe(0);
    const byKey = new Map(states?.map((state) => [state.file_key, state]));
    expect(byKey.get(1)?.content_hash).toBe(sha256('x'));
    expect(byKey.get(2)?.content_hash).toBe(sha256('x'));
    for (const key of [3, 4]) {
      expect(byKey.get(key)).toMatchObject({ size_bytes: -1, modified_us: null, changed_us: null, content_hash: null });
    }
    expect(byKey.get(5)).toMatchObject({ size_bytes: statSync(out).size, content_hash: null });
  });

  it('do not stop the worker when their times are out of range', async () => {
    const worker = startWorker();
    const path = join(worker.directory, 'future');
    writeFileSync(path, '');
    utimesSync(path, 12e9, 12e9);
    const { files: states } = await report(worker, { command: 'true', files: files([path], false) });
    // some file systems keep an earlier time instead
    const modified = Number(statSync(path, { bigint: true }).mtimeNs / 1000n);
    const modified_us = Number.isSafeInteger(modified) ? modified : null;
    expect(states).toMatchObject([{ size_bytes: 0, modified_us, content_hash: sha256('') }]);
  });

  it('are not in the report of a job that declares none', async () => {
    const finished = await report(startWorker(), { command: 'true' });
    expect(finished).not.toHaveProperty('files');
    expect(finished).not.toHaveProperty('user_data');
  });

  it('are spooled with the report when the server is away', async () => {
    const worker = startWorker();
    const path = join(worker.directory, 'out');
    const go = join(worker.directory, 'go');
    worker.server.add({
      command: `until [ -e ${quoted(go)} ]; do sleep 0.02; done; echo '[1]' > ${quoted(path)}; cp ${quoted(path)} ${place('d')}`,
      files: files([path], true),
      output_user_data: ['d'],
    });
    await until(() => worker.server.attempts.get(1)?.started != null);
    worker.server.goDown();
    writeFileSync(go, '');
    const { spoolPath } = workerPaths(worker.directory, worker.workerId);
    await until(() => existsSync(spoolPath) && readSpool(spoolPath).reports.length === 1);
    expect(readSpool(spoolPath).reports[0]?.finished).toMatchObject({
      files: [{ file_key: 1, size_bytes: 4, content_hash: sha256('[1]\n') }],
      user_data: [{ name: 'd', data: [1] }],
    });
    worker.server.goUp();
    await worker.exit;
  });
});

describe('declared outputs that are missing', () => {
  /** How long the worker waits for them. */
  const waitMs = 2_000;

  it('make a job that ended with 0 fail, with everything known about it', async () => {
    const worker = startWorker();
    const paths = ['one', 'two', 'a\nb', 'four', 'five'].map((name) => join(worker.directory, name));
    const finished = await report(worker, { command: `touch ${quoted(paths[1] ?? '')}`, files: files(paths, true) });
    expect(finished).toMatchObject({
      status: 'done',
      return_code: 1,
      cause: 'missing_output',
      exit_code: 0,
      signal: null,
    });
    expect(finished.detail).toContain(`"${paths[0]}", ${JSON.stringify(paths[2])}, "${paths[3]}" and 1 more`);
    expect(finished.files?.map((state) => state.size_bytes)).toEqual([-1, 0, -1, -1, -1]);
    // the end is the instant when it ended, not when the wait ended
    expect(finished.age_ms).toBeGreaterThanOrEqual(waitMs);
    expect(await worker.exit).toMatchObject({ numFailed: 1 });
  });

  it('may appear a moment after the end', async () => {
    const worker = startWorker();
    const path = join(worker.directory, 'late/deep/file');
    worker.server.add({ command: 'true', files: files([path], true) });
    await until(() => worker.server.attempts.get(1)?.started != null && worker.processes().length === 0);
    expect(worker.server.attempts.get(1)?.finished).toBeNull();
    mkdirSync(join(worker.directory, 'late/deep'), { recursive: true });
    writeFileSync(path, 'here');
    await worker.exit;
    expect(worker.server.attempts.get(1)?.finished).toMatchObject({
      return_code: 0,
      cause: 'success',
      files: [{ size_bytes: 4, content_hash: sha256('here') }],
    });
  });

  it('change nothing about a job that failed by itself, and are not waited for', async () => {
    const worker = startWorker();
    const finished = await report(worker, {
      command: 'exit 3',
      files: files([join(worker.directory, 'none')], true),
    });
    expect(finished).toMatchObject({ return_code: 3, cause: 'exit_code', files: [{ size_bytes: -1 }] });
    expect(finished.age_ms).toBeLessThan(waitMs);
  });

  it('are reported at once when the worker is asked to stop', async () => {
    const worker = startWorker();
    worker.server.add({ command: 'true', files: files([join(worker.directory, 'none')], true) });
    await until(() => worker.server.attempts.get(1)?.started != null && worker.processes().length === 0);
    worker.signal('terminate');
    await worker.exit;
    expect(worker.server.attempts.get(1)?.finished).toMatchObject({ cause: 'missing_output' });
    expect(worker.server.attempts.get(1)?.finished?.age_ms).toBeLessThan(waitMs);
  });
});

describe('output user data', () => {
  const names = ['plain', 'a}b', 'a', 'it\'s "$1" $& \n', '../../up', '.*'];

  it('is what the job wrote to the paths in its command and its invocation script', async () => {
    const worker = startWorker();
    const finished = await report(worker, {
      invocation_script: `env FIRST=${place('plain')}`,
      command: `bash -c 'echo "{\\"a\\": [1, null]}" > "$FIRST"'; ${names
        .slice(1)
        .map((name, index) => `echo ${index} > ${place(name)}`)
        .join('; ')}; echo '${place('unknown')}'`,
      output_user_data: names,
    });
    expect(finished.detail).toBeNull();
    expect(finished.user_data).toEqual([
      { name: 'plain', data: { a: [1, null] } },
      ...names.slice(1).map((name, index) => ({ name, data: index })),
    ]);
    expect(worker.stdout(1)).toBe(`${place('unknown')}\n`);
    const attempt = { jobKey: '1', runId: 1, attemptId: 1 };
    const paths = userDataPaths(join(worker.directory, 'output'), attempt, names.length);
    expect(paths[5]).toBe(join(worker.directory, 'output/user_data/0000/job_1_run_1_attempt_1/5.json'));
    expect(readFileSync(paths[1] ?? '', 'utf8')).toBe('0\n');
  });

  it('is left out where nothing was written, even when an older file is in its place', async () => {
    const worker = startWorker();
    const attempt = { jobKey: '1', runId: 1, attemptId: 1 };
    const [old = ''] = userDataPaths(join(worker.directory, 'output'), attempt, 1);
    mkdirSync(join(old, '..'), { recursive: true });
    writeFileSync(old, '"old"');
    const finished = await report(worker, { command: 'true', output_user_data: ['d'] });
    expect(finished).toMatchObject({ return_code: 0 });
    expect(finished).not.toHaveProperty('user_data');
  });

  it.each([
    ['echo "{" > P', /^it ended with 0 but wrote user data "d" that is not valid JSON \(/],
    ['echo -n > P', /is not valid JSON/],
    ['printf \'"\\377"\' > P', /that is not UTF-8$/],
    ['mkdir P', /that is not a regular file$/],
    ['mkfifo P', /that is not a regular file$/],
    ['head -c 1048577 /dev/zero | tr "\\0" 1 > P', /that is larger than 1048576 bytes$/],
    ['printf "%102s" | tr " " "[" > P; printf "%102s" | tr " " "]" >> P', /that is nested deeper than 100 levels$/],
  ])('makes the job fail when it is not good: %s', async (command, detail) => {
    const finished = await report(startWorker(), {
      command: command.replaceAll('P', place('d')),
      output_user_data: ['d'],
    });
    expect(finished).toMatchObject({ status: 'done', return_code: 1, cause: 'missing_output', exit_code: 0 });
    expect(finished.detail).toMatch(detail);
    expect(finished).not.toHaveProperty('user_data');
  });

  it('of a job that failed is not kept', async () => {
    const finished = await report(startWorker(), {
      command: `echo 1 > ${place('d')}; exit 4`,
      output_user_data: ['d'],
    });
    expect(finished).toMatchObject({ return_code: 4, cause: 'exit_code' });
    expect(finished).not.toHaveProperty('user_data');
  });

  it('keeps a job from starting when there is no space for it', async () => {
    const server = new FakeServer();
    const worker = startWorker(server);
    mkdirSync(join(worker.directory, 'output'));
    writeFileSync(join(worker.directory, 'output/user_data'), 'in the way');
    const finished = await report(worker, { command: 'true', output_user_data: ['d'] });
    expect(finished).toMatchObject({ status: 'done', return_code: 126, cause: 'spawn_error', start_age_ms: null });
    expect(finished.detail).toContain('user_data');
  });
});

describe('result values', () => {
  const twoNodes = { nodeNames: ['here', 'there'], numCpus: 64, memoryBytes: 2 ** 40, numGpus: 0, gpuIds: [] };

  it('are what jobs write; each finds those of its upstream jobs in a file and in its environment', async () => {
    const inputs = '{"args":[1,"é"],"by_name":{"a":[1,"é"]}}';
    const worker = startWorker();
    worker.server.add(
      { command: 'echo "[1.5, null]" > "$TORC_RESULT_FILE"; cat "$TORC_INPUTS_FILE"' },
      {
        command: 'cat "$TORC_INPUTS_FILE" > "$TORC_RESULT_FILE"; echo "$TORC_VALUE_1"',
        inputs,
        variables: { TORC_VALUE_1: '$x' },
      },
      { command: 'echo null > "$TORC_RESULT_FILE"' },
      { command: 'echo 1 > "$TORC_RESULT_FILE"; exit 3' },
      { command: 'test ! -e "$TORC_INPUTS_FILE"', inputs: null },
    );
    await worker.exit;
    const ends = [1, 2, 3, 4, 5].map((attempt) => worker.server.attempts.get(attempt)?.finished);
    expect(ends.map((finished) => finished?.return_code)).toEqual([0, 0, 0, 3, 0]);
    expect(JSON.stringify(ends.map((finished) => finished?.result))).toBe(`[[1.5,null],${inputs},null,null,null]`);
    for (const end of ends.slice(2)) expect(end).not.toHaveProperty('result');
    expect([worker.stdout(1), worker.stdout(2)]).toEqual(['{"args":[],"by_name":{}}', '$x\n']);
  });

  it('of a job on several nodes are where all of them see them, also those of its upstream jobs', async () => {
    const worker = startWorker(new FakeServer(), { capacity: twoNodes });
    const finished = await report(worker, {
      command: 'cp "$TORC_INPUTS_FILE" "$TORC_RESULT_FILE"; echo "$TORC_INPUTS_FILE"',
      inputs: '{"args":[7],"by_name":{"a":7}}',
      node_indices: [0, 1],
    });
    expect(finished.result).toEqual({ args: [7], by_name: { a: 7 } });
    const paths = sharedValuePaths(join(worker.directory, 'output'), { jobKey: '1', runId: 1, attemptId: 1 });
    expect(worker.stdout(1)).toBe(`${paths.inputs}\n`);
  });

  it('go through the output directory on a node without room for temporary files', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'torc values '));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    vi.stubEnv('TMPDIR', join(directory, 'nowhere'));
    onTestFinished(() => void vi.unstubAllEnvs());
    const values = openValueFiles(directory, openFileReader(directory));
    const job = assignment({ command: 'true', attempt: 1, job_key: '5', inputs: '[1]' });
    const { result, inputs } = sharedValuePaths(directory, { jobKey: job.job_key, runId: 1, attemptId: 1 });
    expect(values.variables(job)).toEqual({ TORC_RESULT_FILE: result, TORC_INPUTS_FILE: inputs });
    await values.prepare(job);
    expect(readFileSync(inputs, 'utf8')).toBe('[1]');
    writeFileSync(result, '[2]');
    expect(await values.takePrepared(job)).toEqual({ value: [2] });
    values.close();
  });

  it.each([
    ['echo "{" > R', /^it ended with 0 but wrote a result value that is not valid JSON \(/],
    ['printf \'"\\377"\' > R', /that is not UTF-8$/],
    ['mkdir R', /that is not a regular file$/],
    ['mkfifo R', /that is not a regular file$/],
    ['head -c 65537 /dev/zero | tr "\\0" 1 > R', /that is larger than 65536 bytes/],
  ])('make the job fail when they are not good: %s', async (written, detail) => {
    const command = `cd "$(dirname "$TORC_RESULT_FILE")"; ${written.replaceAll('R', '"$TORC_RESULT_FILE"')}`;
    for (const node_indices of [undefined, [0]]) {
      const worker = startWorker(new FakeServer(), { capacity: twoNodes });
      const finished = await report(worker, { command, ...(node_indices === undefined ? {} : { node_indices }) });
      expect(finished).toMatchObject({ status: 'done', return_code: 1, cause: 'missing_output', exit_code: 0 });
      expect(finished.detail).toMatch(detail);
      expect(finished).not.toHaveProperty('result');
    }
  });

  it('that a command names and that are missing keep it from being started', async () => {
    const worker = startWorker();
    const finished = await report(worker, { command: 'touch started', refusal: 'no value' });
    expect(finished).toMatchObject({ status: 'done', return_code: 1, cause: 'missing_input', start_age_ms: null });
    expect(finished).toMatchObject({ detail: 'no value', exit_code: null });
  });
});
