/** The cluster as `scontrol show config|partition|node` prints it: the nodes of rows.mjs. */

export const nodesOf = { main: ['fake1', 'fake2', 'fake3', 'fake4'], gpu: ['fake5', 'fake6'] };

/** Of each node. */
export const memoryMegabytes = 2000;

export function shownConfig() {
  return 'Configuration data as of 2026-01-06T10:30:00\nClusterName             = fake\nSLURM_VERSION           = 22.05.8\n\nSlurmctld(primary) at ctl is UP\n';
}

export function shownPartitions({ cpusPerNode, maxTime }) {
  return Object.entries(nodesOf)
    .map(([name, nodes]) => {
      const isDefault = name === 'main' ? 'YES' : 'NO';
      const cpus = nodes.length * cpusPerNode;
      return `PartitionName=${name} AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL Default=${isDefault} QoS=N/A DefaultTime=NONE MaxNodes=UNLIMITED MaxTime=${maxTime} MinNodes=0 MaxCPUsPerNode=UNLIMITED Nodes=${nodes.join(',')} OverSubscribe=NO State=UP TotalCPUs=${cpus} TotalNodes=${nodes.length} MaxMemPerNode=UNLIMITED\n`;
    })
    .join('');
}

export function shownNodes({ cpusPerNode }) {
  return Object.entries(nodesOf)
    .flatMap(([partition, nodes]) =>
      nodes.map((name) => {
        const gres = partition === 'gpu' ? 'gpu:fake:2' : '(null)';
        return `NodeName=${name} Arch=x86_64 CoresPerSocket=${cpusPerNode}  CPUAlloc=0 CPUEfctv=${cpusPerNode} CPUTot=${cpusPerNode} CPULoad=0.00 Gres=${gres} NodeAddr=${name} NodeHostName=${name} RealMemory=${memoryMegabytes} AllocMem=0 FreeMem=1900 Sockets=1 Boards=1 State=IDLE ThreadsPerCore=1 TmpDisk=0 Weight=1 Partitions=${partition}\n`;
      }),
    )
    .join('');
}
