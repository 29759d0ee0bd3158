// Three estimates of pi in parallel, then their mean: a program builds a workflow, runs it and reads the results.
//
//   node examples/library.mjs
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
import { Workflow } from 'torc';

const workflow = new Workflow({
  name: 'estimates of pi',
  resource_requirements: [{ name: 'small', num_cpus: 1, memory: '200m', runtime: 'PT1M' }],
  user_data: [1, 2, 3].map((n) => ({ name: `estimate_${n}` })),
});
const estimates = [1, 2, 3].map((n) =>
  workflow.addJob({
    name: `throw_${n}`,
    command: `awk -v seed=${n} 'BEGIN { srand(seed); for (; i < 20000; i++) hits += rand()^2 + rand()^2 < 1; print hits / 5000 }' > "\${user_data.output.estimate_${n}}"`,
    resource_requirements: 'small',
  }),
);
workflow.addJob({
  name: 'mean',
  command:
    "echo ${user_data.input.estimate_1} ${user_data.input.estimate_2} ${user_data.input.estimate_3} | awk '{ print ($1 + $2 + $3) / 3 }'",
  resource_requirements: 'small',
});

const key = await workflow.create();
await workflow.start();
const summary = await workflow.runLocally();
console.log(`workflow ${key}: ${summary.status}, ${summary.num_done} of ${summary.num_jobs} jobs done`);
for (const { job_name, return_code, exec_time_seconds } of await workflow.results()) {
  console.log(`${job_name}: return code ${return_code} after ${exec_time_seconds} s`);
}
if (estimates.length + 1 !== summary.num_done) process.exitCode = 1;
