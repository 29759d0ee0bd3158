/*
 * torc-run-step: runs the command of a job inside its step of a Slurm allocation, and tells the worker how it ended. srun
 * cannot say that: it ends with 128 and the signal for a command that a signal ended, and with 1 when memory ran out.
 *
 *     torc-run-step MARK SCORE PROGRAM ARGUMENT...
 *
 * MARK is where it leaves a symbolic link that leads nowhere: one is made or replaced as a whole, and waits for no other
 * file. Its text is `STEP` once the command is about to start, and `STEP STATUS CPU_MS LARGEST_KIB` when it has ended: the id of
 * the step within its job, the status of wait(2), the processor time, the most memory that one of its processes had. SCORE
 * is the minimum score of the command and of this process, by which the kernel chooses a process to kill when memory runs
 * out.
 *
 * The memory of a command that was killed may be free only a moment later, and what this process or Slurm's daemon of the
 * step takes before would have the kernel kill one of them: so it waits for a moment, and is the first to be killed.
 *
 * The command leads a session and a group of its own, as without Slurm, and this process ends as it does, which is what
 * Slurm records. The worker sends signals to the command itself; those that Slurm sends to the step do nothing here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void ignore(int signal) { (void)signal; }

/* A reader sees the old text or the new one, never none. */
static void mark(const char *path, const char *text) {
  char fresh[PATH_MAX];
  if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh) return;
  unlink(fresh);
  if (symlink(text, fresh) == 0 && rename(fresh, path) == 0) return;
  fprintf(stderr, "torc: cannot write %s: %s\n", path, strerror(errno));
}

static void raise_score(const char *score) {
  char own[16] = "";
  int file = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  /* without it the score stays that of Slurm's daemon */
  if (read(file, own, sizeof own - 1) > 0 && atoi(own) < atoi(score) && write(file, score, strlen(score)) < 0) errno = 0;
  close(file);
}

/* Also by a shell's account of its last command. */
static int was_killed(int status) {
  return (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) || (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const char *path = argv[1], *step = getenv("SLURM_STEP_ID");
  char text[64];
  int status;
  struct rusage used;
  if (step == NULL || strlen(step) > 10) step = "-";
  /* a handler rather than SIG_IGN, so that the command gets the default again */
  struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
  const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM};
  for (size_t index = 0; index < sizeof signals / sizeof *signals; index++) sigaction(signals[index], &action, NULL);
  raise_score(argv[2]);
  mark(path, step);
  pid_t pid = fork();
  if (pid == 0) {
    setsid();
    execvp(argv[3], argv + 3);
    fprintf(stderr, "torc: cannot run %s: %s\n", argv[3], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
  }
  if (pid < 0) {
    fprintf(stderr, "torc: cannot start a process: %s\n", strerror(errno));
    return 126;
  }
  while (wait4(pid, &status, 0, &used) < 0)
    if (errno != EINTR) return 1;
  if (was_killed(status)) usleep(200000);
  long long micros = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000LL;
  micros += used.ru_utime.tv_usec + used.ru_stime.tv_usec;
  snprintf(text, sizeof text, "%s %d %lld %ld", step, status, (micros + 500) / 1000, used.ru_maxrss);
  mark(path, text);
  if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(WTERMSIG(status), SIG_DFL);
  raise(WTERMSIG(status));
  return 128 + WTERMSIG(status);
}
