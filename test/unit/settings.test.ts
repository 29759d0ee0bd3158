import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withSlurmSettings } from '../../src/cli/actions/slurm-configs.ts';
import { createContext } from '../../src/cli/context/context.ts';
import { environmentSettings, type Settings, settingKeys, settingList } from '../../src/cli/context/settings.ts';
import { fileSettings, settingsFiles } from '../../src/cli/context/settings-files.ts';
import { readWorkflow } from '../../src/cli/documents/read-spec.ts';
import { chosenOutput } from '../../src/cli/input/output-directory.ts';
import { runProgram } from '../../src/cli/program.ts';
import { fakeTerminal, noInterrupts } from './cli-fakes.ts';

let directory: string;
let env: Record<string, string>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'torc settings '));
  env = { XDG_CONFIG_HOME: directory, HOME: '/home/a', TORC_DIR: join(directory, 'server') };
  mkdirSync(join(directory, 'torc'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const userFile = () => join(directory, 'torc', 'config.toml');
const localFile = () => join(directory, 'torc.toml');
const files = () => settingsFiles(env, localFile());
const stated = () => fileSettings(files());

function contextWith(settings: Settings, more: Record<string, string> = {}) {
  const parts = { terminal: fakeTerminal(), interrupts: noInterrupts };
  return createContext({}, { ...parts, env: { HOME: '/home/a', ...more }, settings });
}

async function run(...words: string[]) {
  const terminal = fakeTerminal();
  const code = await runProgram(words, { terminal, interrupts: noInterrupts, env });
  return { code, stdout: terminal.stdout.join(''), stderr: terminal.stderr.join('') };
}

describe('configuration files', () => {
  it('count in their order, and say where each value comes from', () => {
    writeFileSync(userFile(), '# mine\naccount = "a"\npartition = "long"\ndirectory = "~/torc"\n');
    writeFileSync(localFile(), 'nodes = 2\naccount = """\nb"""\n');
    expect(stated()).toEqual({
      account: { value: 'b', from: `${localFile()}:2` },
      partition: { value: 'long', from: `${userFile()}:3` },
      directory: { value: '/home/a/torc', from: `${userFile()}:4` },
      nodes: { value: 2, from: `${localFile()}:1` },
    });
    expect(environmentSettings({ TORC_ACCOUNT: 'c', TORC_NODES: '3', TORC_QOS: '' })).toEqual({
      account: { value: 'c', from: 'TORC_ACCOUNT' },
      nodes: { value: 3, from: 'TORC_NODES' },
    });
    expect(() => environmentSettings({ TORC_STDIO: 'some' })).toThrow(/TORC_STDIO: "some" is not one of "files"/);
  });

  it('with mistakes are refused with the place and the nearest key of each', () => {
    writeFileSync(
      userFile(),
      'qos = "normal"\n\n acount = "a"\nwalltime = """\n3:3:3:3"""\nnodes = 0\nserver = "on"\nnotify = "me"\nmem = """a\nb"""\n',
    );
    const at = (place: string, text: string) => expect.stringContaining(`${userFile()}:${place}: ${text}`);
    const [own] = files();
    expect(own?.problems).toEqual([
      at('3:2', 'unknown key "acount"; did you mean "account"?'),
      at('4:1', 'walltime: '),
      at('6:1', 'nodes: 0 is not a whole number of at least 1'),
      at('7:1', 'server: "on" is not one of "auto", "off"'),
      at('8:1', 'notify: "me" is not an e-mail address'),
      at('9:1', 'mem: '),
    ]);
    expect(stated).toThrow(/:3:2: .*\n.*:4:1: /);
    writeFileSync(userFile(), 'qos = "normal"\naccount = = 3\n');
    expect(stated).toThrow(/config.toml:2:11: /);
  });

  it('of a project neither send anything elsewhere nor name another server or place, nor how it calls Slurm', () => {
    const refused = settingKeys.filter((key) => !settingList[key].isLocal);
    expect(refused).toEqual(['notify', 'directory', 'server', 'slurm_calls_per_minute', 'advertise', 'relay']);
    for (const key of refused) {
      writeFileSync(localFile(), `${key} = ${settingList[key].example}\n`);
      expect(stated, key).toThrow(/counts only in your own configuration file/);
    }
    for (const path of ['/tmp/theirs', '../x', 'a/../../x', '~/x']) {
      writeFileSync(localFile(), `output = "${path}"\n`);
      expect(stated, path).toThrow(/below this one/);
    }
    writeFileSync(localFile(), 'output = "results/today"\n');
    expect(stated()).toMatchObject({ output: { value: 'results/today' } });
  });

  it('that others can change do not count: the project one is ignored, the own one is refused', () => {
    writeFileSync(localFile(), 'account = "theirs"\n');
    chmodSync(localFile(), 0o666);
    expect(files()[1]?.ignored).toMatch(/can be changed by other users \(mode 0666\)/);
    expect(stated()).toEqual({});
    writeFileSync(userFile(), 'account = "theirs"\n');
    chmodSync(userFile(), 0o620);
    expect(stated).toThrow(/can be changed by other users/);
  });

  it.skipIf(process.getuid?.() !== 0)('of another user do not count', () => {
    writeFileSync(localFile(), 'account = "theirs"\n');
    chownSync(localFile(), 12_345, 12_345);
    expect(files()[1]?.ignored).toMatch(/belongs to another user/);
    expect(stated()).toEqual({});
  });

  it('may have the tables of torc 1.0, which have no effect', () => {
    writeFileSync(userFile(), 'account = "a"\n[client]\napi_url = "http://x"\n[server]\nport = 1\n');
    expect(files()[0]).toMatchObject({ foreign: ['client', 'server'], problems: [] });
    expect(stated()).toMatchObject({ account: { value: 'a' } });
  });
});

describe('settings', () => {
  it('are defaults: options and the environment override them', () => {
    const settings = { account: 'a', nodes: 2, output: 'from-file', directory: '/srv/torc' };
    const context = contextWith(settings);
    expect(withSlurmSettings(context, { nodes: 3 })).toEqual({ account: 'a', nodes: 3 });
    expect([context.directory, context.torc]).toEqual(['/srv/torc', 'torc']);
    expect(chosenOutput(context)).toMatch(/\/from-file$/);
    expect(chosenOutput(context, 'typed')).toMatch(/\/typed$/);
    const other = contextWith(settings, { TORC_OUTPUT_DIR: 'from-variable', TORC_DIR: '/other' });
    expect(chosenOutput(other)).toMatch(/\/from-variable$/);
    expect(other.directory).toBe('/other');
  });

  it('give a workflow its output and notifications where the specification says nothing', async () => {
    const context = contextWith({ stdio: 'combined', notify: 'me@example.org' });
    const spec = join(directory, 'a.json');
    const jobs = [{ name: 'a', command: 'true' }];
    writeFileSync(spec, JSON.stringify({ name: 'a', jobs }));
    expect((await readWorkflow(context, spec)).workflow).toMatchObject({
      stdio: 'combined',
      notifications: [{ kind: 'email', target: 'me@example.org' }],
    });
    writeFileSync(spec, JSON.stringify({ name: 'a', jobs, stdio: 'none', notifications: [] }));
    expect((await readWorkflow(context, spec)).workflow).toMatchObject({ stdio: 'none', notifications: [] });
  });
});

it('each setting is in the documentation with its variable and whether a project may set it', () => {
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `(\w+)` \|.*\| `(TORC_\w+)` \| (.*) \|$/gm)].map((row) => row.slice(1));
  expect(rows.map(([key, variable, local]) => [key, variable, local !== 'no'])).toEqual(
    settingKeys.map((key) => [key, settingList[key].variable, settingList[key].isLocal]),
  );
});

describe('torc config', () => {
  it('writes a file that is right, does not replace one, and shows what counts', async () => {
    expect(await run('config', 'paths')).toMatchObject({
      stdout: expect.stringMatching(/user .*config.toml +missing/),
    });
    expect(await run('config', 'init')).toMatchObject({ code: 0, stdout: expect.stringContaining(userFile()) });
    await expect(run('config', 'init')).rejects.toMatchObject({
      exitCode: 4,
      hint: expect.stringContaining('--force'),
    });
    await expect(run('config', 'init', '--system')).rejects.toMatchObject({ exitCode: 2 });
    expect(await run('config', 'validate')).toMatchObject({ code: 0, stdout: expect.stringContaining('sets nothing') });
    const examples = settingKeys.map((key) => `${key} = ${settingList[key].example}`).join('\n');
    writeFileSync(userFile(), examples);
    const { settings } = JSON.parse((await run('config', 'show', '-F', 'json')).stdout);
    expect(settings.map(({ key }: { key: string }) => key)).toEqual(settingKeys);
    expect(settings[0]).toMatchObject({ key: 'account', value: 'my_account', from: `${userFile()}:1` });
    expect(settings.find(({ key }: { key: string }) => key === 'directory')).toMatchObject({
      key: 'directory',
      value: env.TORC_DIR,
      from: 'TORC_DIR',
    });
  });

  it('names what is wrong with exit code 2; commands too, but not help', async () => {
    writeFileSync(userFile(), 'acount = "a"\n');
    const problem = { exitCode: 2, message: expect.stringContaining('config.toml:1:1: unknown key "acount"') };
    await expect(run('config', 'check')).rejects.toMatchObject(problem);
    await expect(run('jobs', 'list')).rejects.toMatchObject(problem);
    expect((await run('--help')).code).toBe(0);
    expect((await run('jobs', 'list', '--help')).code).toBe(0);
    expect((await run('completion', 'bash')).code).toBe(0);
  });
});
