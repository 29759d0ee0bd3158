// The share of the time that the slots of a large node are idle, with jobs that sleep for 2 seconds, and that of xargs.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { row } from '../report.mjs';
import { inDirectory, progress, repeat, time, timeTorc } from '../support.mjs';

const jobSeconds = 2;

/** In percent, from the start of the first job to the end of the last one. */
function idlePercent(numJobs, numSlots, seconds) {
  return 100 * (1 - (numJobs * jobSeconds) / (numSlots * seconds));
}

async function ofXargs(numJobs, numSlots) {
  const input = `${jobSeconds}\n`.repeat(numJobs);
  const { seconds } = await time('xargs', [`-P${numSlots}`, '-n1', 'sleep'], { input });
  return idlePercent(numJobs, numSlots, seconds);
}

async function ofTorc(numJobs, numSlots) {
  return await inDirectory(async (directory) => {
    const commands = join(directory, 'commands.txt');
    writeFileSync(commands, `sleep ${jobSeconds}\n`.repeat(numJobs));
    const place = join(directory, 'server');
    const slots = ['-m', String(numSlots), '--cpus', String(numSlots)];
    const { reply } = await timeTorc(place, ['run', commands, ...slots, '-o', join(directory, 'out')]);
    if (reply.num_done !== numJobs) throw new Error(`${reply.num_done} of ${numJobs} jobs are done`);
    const { results } = (await timeTorc(place, ['results', 'list', '-l', String(numJobs)])).reply;
    const begin = Math.min(...results.map((result) => Date.parse(result.start_time)));
    const end = Math.max(...results.map((result) => Date.parse(result.end_time)));
    return idlePercent(numJobs, numSlots, (end - begin) / 1000);
  });
}

export async function slots({ isFull, runs }) {
  const [numJobs, numSlots] = isFull ? [2560, 256] : [256, 32];
  progress(`${numSlots} slots`);
  const baseline = { what: `xargs -P${numSlots}`, samples: await repeat(runs, () => ofXargs(numJobs, numSlots)) };
  const samples = await repeat(runs, () => ofTorc(numJobs, numSlots));
  return [
    row(`idle share of ${numSlots} slots, ${numJobs} jobs of ${jobSeconds} s, by xargs`, baseline.samples, '%'),
    row('.. by torc, each with two files', samples, '%', { baseline }),
  ];
}
