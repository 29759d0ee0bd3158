import { expect, it } from 'vitest';
import { advertisedText, parseAdvertised, shownAddress, triedText } from '../../src/api/addresses.ts';
import { addressesOf } from '../../src/api/reach.ts';
import type { ServerFile } from '../../src/api/server-file.ts';
import { sshCommand, stepCommand } from '../../src/slurm/relay.ts';

it('addresses are read as people write them', () => {
  expect(parseAdvertised('login1, 10.1.0.5:7000 ,[fd00::1]:80,[fd00::2],fd00::3')).toEqual([
    { host: 'login1', port: null },
    { host: '10.1.0.5', port: 7000 },
    { host: 'fd00::1', port: 80 },
    { host: 'fd00::2', port: null },
    { host: 'fd00::3', port: null },
  ]);
  expect(advertisedText(' login1 , [fd00::1]:80')).toBe('login1,[fd00::1]:80');
});

it.each([
  '',
  ' , ',
  'a b',
  'host:0',
  'host:65536',
  'host:x',
  'https://host:1',
  '-oProxyCommand=x',
  '[host]:1',
  '[fd00::1',
  Array.from({ length: 17 }, (_, i) => `h${i}`).join(),
])('%j is no address, and the error says how one is written', (text) => {
  expect(() => parseAdvertised(text)).toThrow();
});

it('addresses and why each failed are shown by reason', () => {
  const tried = [
    { address: 'login1:7000', reason: 'the name does not resolve' },
    { address: '10.0.0.1:7000', reason: 'connection refused' },
    { address: 'fd00::1:7000', reason: 'connection refused' },
  ];
  expect(triedText(tried)).toBe(
    'the name does not resolve (login1:7000); connection refused (10.0.0.1:7000, [fd00::1]:7000)',
  );
  expect(shownAddress('10.0.0.1:7000')).toBe('10.0.0.1:7000');
});

it('the one that worked last is tried first, the others after it', () => {
  const file = { hostname: 'another host', addresses: ['a:1', 'b:2', 'c:3'] } as ServerFile;
  expect(addressesOf(file).map(([, address]) => address)).toEqual(['a:1', 'b:2', 'c:3']);
  expect(addressesOf(file, 1)).toEqual([
    [1, 'b:2'],
    [2, 'c:3'],
    [0, 'a:1'],
  ]);
});

it('a relay is started without anything secret, and without what belongs to another allocation', () => {
  const env = { PATH: '/bin', HOME: '/home/me', SLURM_JOB_ID: '3', SRUN_CPUS_PER_TASK: '2', SLURM_CONF: '/etc/s.conf' };
  const words = ['/opt/my node', '/torc/main.js', 'server', 'relay', '--all-nodes'];
  const step = stepCommand({ slurmJobId: '7', node: 'c1' }, words, env);
  expect(step.variables).toEqual({ PATH: '/bin', HOME: '/home/me', SLURM_CONF: '/etc/s.conf' });
  expect([step.command, ...step.args]).toEqual([
    ...['srun', '--jobid=7', '--nodelist=c1', '--nodes=1', '--ntasks=1', '--overlap', '--mem=0', '--cpu-bind=none'],
    ...['--job-name=torc-relay', '--quiet', ...words],
  ]);
  const ssh = sshCommand('c1', words, env);
  expect(ssh.command).toBe('ssh');
  // one word for the shell of the node
  expect(ssh.args.slice(-2)).toEqual(['c1', "'/opt/my node' /torc/main.js server relay --all-nodes"]);
  expect(ssh.args).toContain('BatchMode=yes');
});
