#!/bin/bash
# entrypoint controller | node: runs one role of the cluster in the foreground; ends when one of its daemons does.
# entrypoint database: fills the accounting database and ends (while the image is built).
set -euo pipefail

daemons=()
say() { echo "entrypoint: $*"; }

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
  local tries=$(($1 * 20))
  shift
  until "$@" >/dev/null 2>&1; do
    ((tries-- > 0)) || { say "gave up waiting for: $*"; "$@"; exit 1; }
    sleep 0.05
  done
}
listens() { (exec 3<>"/dev/tcp/$1/$2"); }

as() { exec setpriv --reuid "$1" --regid "$1" --init-groups "${@:2}"; }

# Background children take no terminal input; their pids are remembered for the orderly stop.
run() { "$@" & daemons+=($!); }

prepare() {
  ln -sf "variant-${TORC_CLUSTER_CONF:-cgroup}.conf" /etc/slurm/variant.conf
  install -d -o munge -g munge -m 755 /run/munge
  install -d -o slurm -g slurm -m 755 /run/slurm
  (as munge munged --force)
}

start_accounting() {
  install -d -o mysql -g mysql -m 755 /run/mysqld
  run mariadbd
  wait_for 60 mariadb -e 'CREATE DATABASE IF NOT EXISTS slurm_acct_db; CREATE USER IF NOT EXISTS slurm@localhost;
    GRANT ALL ON slurm_acct_db.* TO slurm@localhost;'
  run as slurm slurmdbd -D
  wait_for 60 listens localhost 6819
}

# slurmctld refuses to start without its accounting; jobs of hpc may name the account torc and the qos normal.
fill_database() {
  # the name ctl does not exist while the image is built
  export SLURM_CONF=/tmp/slurm.conf
  sed -e '/^Include/{r /etc/slurm/variant.conf' -e 'd}' /etc/slurm/slurm.conf |
    sed 's/^AccountingStorageHost=.*/AccountingStorageHost=localhost/' >"$SLURM_CONF"
  sacctmgr -i -Q add cluster torc
  sacctmgr -i -Q add account torc cluster=torc
  sacctmgr -i -Q add user hpc account=torc cluster=torc
  rm "$SLURM_CONF"
}

# Docker mounts the container's cgroups read-only; slurmd makes one below them for each job.
make_cgroups_writable() {
  local mount pid directory controller
  if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
    for mount in /sys/fs/cgroup/*/; do mount -o remount,rw,bind "$mount" 2>/dev/null || true; done
    return
  fi
  # cgroup v2: one that hands controllers down may hold no process itself; slurmd works below system.slice
  mount -o remount,rw,bind /sys/fs/cgroup
  mkdir -p /sys/fs/cgroup/init /sys/fs/cgroup/system.slice
  while read -r pid; do
    echo "$pid" >/sys/fs/cgroup/init/cgroup.procs || true
  done < <(cat /sys/fs/cgroup/cgroup.procs) 2>/dev/null
  for directory in /sys/fs/cgroup /sys/fs/cgroup/system.slice; do
    for controller in cpuset cpu memory pids; do
      echo "+$controller" >"$directory/cgroup.subtree_control" || true
    done
  done 2>/dev/null
}

make_fake_gpus() {
  local number
  for number in 0 1; do
    [ -e "/dev/fakegpu$number" ] || mknod -m 666 "/dev/fakegpu$number" c 1 3
  done
}

# slurmd itself logs to its standard error; the lines of its steps, which name one ("[12.batch] "), only to its file.
show_step_log() { tail -n 0 -F /var/log/slurm/slurmd.log 2>/dev/null | grep --line-buffered -E '^\[[^]]*\] \[' & }

stop() {
  kill "${daemons[@]}" 2>/dev/null || true
  wait "${daemons[@]}" || true
  exit 0
}
trap stop TERM INT

prepare
case "$1" in
  controller)
    start_accounting
    run as slurm slurmctld -D
    ;;
  node)
    make_cgroups_writable
    make_fake_gpus
    # registering too early would cost slurmd a pause before its next try
    wait_for 60 listens ctl 6817
    run slurmd -D -N "$(hostname)"
    show_step_log
    ;;
  database)
    start_accounting
    fill_database
    stop
    ;;
  *) say "unknown role: $1"; exit 2 ;;
esac
say "$1 started"
wait -n "${daemons[@]}" && code=0 || code=$?
say "a daemon ended with code $code"
exit 1
