/*
 * torc-start-jobs: starts the processes of a worker's jobs, waits for them, and reports how they ended.
 *
 *     torc-start-jobs SCORE FILES OUTPUT_DIRECTORY SHELL OPTION...
 *
 * SCORE: the minimum score of jobs, by which the kernel chooses a process to kill when memory runs out. FILES: how many
 * files a job may have open, until it raises that itself; 0 for as many as this process. OUTPUT_DIRECTORY: no link of
 * another user is followed below it. SHELL with its options runs a job's text, which follows them. A request on standard
 * input is its length (32 bits, big-endian) and fields that each end with NUL: id, turn, place, file of the standard
 * output, file of the standard error, text, the CPUs that it has for itself (a list such as 0-3,8; empty for none),
 * `bound` when it runs only on these, variables as NAME=VALUE. The turn is `now`, or `next` for a job that waits here until
 * another one of the same place ends by itself and leaves nothing in its process group: then it gets the CPUs of that one,
 * and TORC_CPUS names them. Two kinds of requests are about a job that waits: id, `now` and CPUs start it, id and `never`
 * take it back; if it waits no longer, nothing happens.
 *
 * Standard output has lines: `ready`, and for each request either `error ID ERRNO WHAT`, `withdrawn ID`, or
 * `pid ID PID AT_MS` and later `end ID STATUS CPU_MS RAN_MS gone|left NEXT LARGEST_KIB AT_MS`: STATUS is that of wait(2),
 * `gone` or `left` says whether the process group has members left, NEXT is the job that waited and now starts in the place
 * of this one, or -, LARGEST_KIB is the most memory that one process had, and AT_MS is when that was, by the system's
 * monotonic clock: lines that nobody needs at once travel with later ones. The helper ends when its standard input ends:
 * jobs that run continue, and jobs that wait never start.
 *
 * Each job has a thread while it runs: vfork blocks only that thread, and copies nothing. A slow file system delays only
 * the job whose files are on it. Without a process or thread for a job, while others run, it fails with EAGAIN.
 *
 * A command that any shell would run unchanged is run without a shell, which is faster. Bash runs all other commands, so
 * that its messages and return codes stay the same.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct request {
  char *id, *turn, *place, *stdout_path, *stderr_path, *text, *cpus, *binding;
  /* this process's own, replaced by what the request says; ends with NULL */
  char **variables;
  /* all of the above points into it, unless the CPUs came later: then they are in the variable that names them */
  char *body, *given_cpus;
  /* while it waits, the one after it; later, the one that starts in its place */
  struct request *next;
  /* how many requests had been read when this one had */
  unsigned long number;
};

extern char **environ;

static const char score_file[] = "/proc/self/oom_score_adj";
static FILE *requests;
static int report;
/* NULL when jobs inherit enough */
static const char *job_score;
/* 0 when jobs may have as many files open as this process */
static rlim_t job_files;
static const char *output_directory;
/* where this process was started; empty when that is not known */
static char own_directory[PATH_MAX];
static char **shell_words;
static size_t num_shell_words;
static pthread_mutex_t turn_to_read = PTHREAD_MUTEX_INITIALIZER;
static atomic_int num_free_threads, num_threads;
static atomic_ulong num_read;
/* jobs that wait for a place, in order */
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static struct request *queue;
static atomic_int num_queued;

/* Without memory nothing can be done or reported: the worker sees that this process has ended. */
static void *must(void *memory) {
  if (memory == NULL) _exit(1);
  return memory;
}

/* Lines that wait to be written, and whether a thread is going to do that soon. */
static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_report = PTHREAD_COND_INITIALIZER;
static char report_text[16 * 1024];
static size_t report_length;
static bool has_reporter, is_reporter_asleep;
static const struct timespec longest_delay = {.tv_nsec = 8 * 1000 * 1000};

/* With the lock held. */
static void write_report(void) {
  for (size_t at = 0; at < report_length;) {
    ssize_t written = write(report, report_text + at, report_length - at);
    if (written < 0 && errno != EINTR) break;
    if (written > 0) at += (size_t)written;
  }
  report_length = 0;
}

/* One line, now or within the longest delay: each time the worker wakes up costs as much as a process. */
__attribute__((format(printf, 2, 3))) static void tell(bool is_urgent, const char *format, ...) {
  char line[PATH_MAX + 128];
  va_list values;
  va_start(values, format);
  size_t length = (size_t)vsnprintf(line, sizeof line, format, values);
  va_end(values);
  if (length >= sizeof line) length = sizeof line - 1;
  for (size_t at = 0; at < length; at++)
    if (line[at] == '\n') line[at] = ' ';
  line[length++] = '\n';
  pthread_mutex_lock(&report_lock);
  if (report_length + length > sizeof report_text) write_report();
  memcpy(report_text + report_length, line, length);
  report_length += length;
  if (is_urgent || !has_reporter) write_report();
  else if (is_reporter_asleep) pthread_cond_signal(&has_report);
  pthread_mutex_unlock(&report_lock);
}

/* Writes what others leave. */
static void *report_later(void *nothing) {
  pthread_mutex_lock(&report_lock);
  while (true) {
    is_reporter_asleep = true;
    while (report_length == 0) pthread_cond_wait(&has_report, &report_lock);
    is_reporter_asleep = false;
    pthread_mutex_unlock(&report_lock);
    nanosleep(&longest_delay, NULL);
    pthread_mutex_lock(&report_lock);
    write_report();
  }
  return nothing;
}

/* While so many jobs wait, the end of one is told with the next ones: the worker need not send more at once. */
static const int enough_queued = 8;

static void enqueue(struct request *request) {
  pthread_mutex_lock(&queue_lock);
  struct request **end = &queue;
  while (*end != NULL) end = &(*end)->next;
  *end = request;
  num_queued++;
  pthread_mutex_unlock(&queue_lock);
}

/* Takes the first job that waits for the place, or the one with the id, out of the queue; NULL when there is none. */
static struct request *dequeue(const char *place, const char *id) {
  pthread_mutex_lock(&queue_lock);
  struct request **at = &queue;
  while (*at != NULL && strcmp(place != NULL ? (*at)->place : (*at)->id, place != NULL ? place : id) != 0) at = &(*at)->next;
  struct request *found = *at;
  if (found != NULL) {
    *at = found->next;
    found->next = NULL;
    num_queued--;
  }
  pthread_mutex_unlock(&queue_lock);
  return found;
}

/* A job that waited gets its CPUs, if there are any. */
static void give_cpus(struct request *request, const char *cpus) {
  static const char name[] = "TORC_CPUS=";
  const size_t length = sizeof name - 1;
  if (*cpus == '\0') return;
  request->given_cpus = must(malloc(length + strlen(cpus) + 1));
  sprintf(request->given_cpus, "%s%s", name, cpus);
  request->cpus = request->given_cpus + length;
  char **variable = request->variables;
  while (*variable != NULL && strncmp(*variable, name, length) != 0) variable++;
  if (*variable == NULL) variable[1] = NULL;
  *variable = request->given_cpus;
}

static void forget(struct request *request) {
  free(request->variables);
  free(request->given_cpus);
  free(request->body);
  free(request);
}

static const char *value_of(char *const *variables, const char *name, size_t length) {
  for (; *variables != NULL; variables++)
    if (strncmp(*variables, name, length) == 0 && (*variables)[length] == '=') return *variables + length + 1;
  return NULL;
}

static const char *get(char *const *variables, const char *name) { return value_of(variables, name, strlen(name)); }

/* Words that bash handles itself; `true` and `false` are missing because the programs do the same. */
static bool is_known_to_bash(const char *word) {
  static const char words[] =
      " . : [ alias bg bind break builtin caller case cd command compgen complete compopt continue coproc declare dirs "
      "disown do done echo elif else enable esac eval exec exit export fc fg fi for function getopts hash help history "
      "if in jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set shift "
      "shopt source suspend test then time times trap type typeset ulimit umask unalias unset until wait while ";
  size_t length = strlen(word);
  for (const char *at = words; (at = strstr(at, word)) != NULL; at += length)
    if (at[-1] == ' ' && at[length] == ' ') return true;
  return false;
}

static bool changes_bash(char *const *variables, const char *word) {
  char function[300];
  if (get(variables, "BASH_ENV") || get(variables, "SHELLOPTS") || get(variables, "BASHOPTS")) return true;
  int length = snprintf(function, sizeof function, "BASH_FUNC_%s%%%%", word);
  return length >= (int)sizeof function || get(variables, function) != NULL;
}

/* The words of a text that a shell would only split, ending with NULL; NULL for other texts. */
static char **plain_words(const struct request *request) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";
  char *text = request->text;
  size_t length = strlen(text), first = strspn(text, plain);
  if (first == 0 || text[length - 1] == ' ') return NULL;
  first += strspn(text + first, ":,@abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-");
  if (text[first] != ' ' && text[first] != '\0') return NULL;
  if (text[first + strspn(text + first, " :,@%=abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-")])
    return NULL;
  char *rest = must(strdup(text)), **words = must(malloc((length / 2 + 2) * sizeof *words));
  size_t num_words = 0;
  for (char *word; (word = strsep(&rest, " ")) != NULL;)
    if (*word != '\0') words[num_words++] = word;
  words[num_words] = NULL;
  if (!is_known_to_bash(words[0]) && !changes_bash(request->variables, words[0])) return words;
  free(words[0]);
  free(words);
  return NULL;
}

static bool is_program(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* Where a shell would find the word, in newly allocated memory; NULL when nowhere. */
static char *search(const char *word, const char *at) {
  while (at != NULL) {
    size_t length = strcspn(at, ":");
    char *path = must(malloc(length + strlen(word) + 3));
    sprintf(path, "%.*s/%s", length == 0 ? 1 : (int)length, length == 0 ? "." : at, word);
    if (is_program(path)) return path;
    free(path);
    at = at[length] == '\0' ? NULL : at + length + 1;
  }
  return NULL;
}

/* Whether the kernel runs it: bash runs a script without an interpreter line, for which exec would use sh. */
static bool says_what_it_is(const char *path) {
  char start[4] = "";
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t length = read(file, start, sizeof start);
  close(file);
  return length >= 2 && (memcmp(start, "#!", 2) == 0 || (length == 4 && memcmp(start, "\177ELF", 4) == 0));
}

/*
 * The program found last, with the word and PATH it was found by. It is taken again only for a request that had been read
 * by then: whatever that job waited for, such as another job that installs its program, had ended before.
 */
static pthread_mutex_t found_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
  char *word, *folders, *path;
  bool says_what_it_is;
  unsigned long number;
} last_found;

struct program {
  /* in newly allocated memory; NULL when there is none */
  char *path;
  bool says_what_it_is;
};

static bool is_found_for(const struct request *request, const char *word, const char *folders) {
  return last_found.path != NULL && request->number <= last_found.number && strcmp(last_found.word, word) == 0 &&
         strcmp(last_found.folders, folders) == 0;
}

static struct program program_of(const struct request *request, const char *word) {
  const char *folders = get(request->variables, "PATH");
  bool is_path = strchr(word, '/') != NULL;
  struct program program = {NULL, false};
  if (!is_path && folders == NULL) return program;
  pthread_mutex_lock(&found_lock);
  if (!is_path && is_found_for(request, word, folders)) {
    program.path = must(strdup(last_found.path));
    program.says_what_it_is = last_found.says_what_it_is;
  }
  pthread_mutex_unlock(&found_lock);
  if (program.path != NULL) return program;
  unsigned long number = num_read;
  if (!is_path) program.path = search(word, folders);
  else if (is_program(word)) program.path = must(strdup(word));
  if (program.path == NULL) return program;
  program.says_what_it_is = says_what_it_is(program.path);
  if (is_path) return program;
  pthread_mutex_lock(&found_lock);
  free(last_found.word), free(last_found.folders), free(last_found.path);
  last_found.word = must(strdup(word)), last_found.folders = must(strdup(folders)), last_found.path = must(strdup(program.path));
  last_found.says_what_it_is = program.says_what_it_is;
  last_found.number = number;
  pthread_mutex_unlock(&found_lock);
  return program;
}

static bool is_below_output(const char *path) {
  size_t length = strlen(output_directory);
  return strncmp(path, output_directory, length) == 0 && path[length] == '/';
}

/* Below the output directory none: there, links of others are not followed. */
static void make_folders_above(const char *path) {
  char *folder = must(strdup(path));
  if (is_below_output(path)) folder[strlen(output_directory) + 1] = '\0';
  for (char *at = folder + 1; *folder != '\0' && (at = strchr(at, '/')) != NULL; at++) {
    *at = '\0';
    mkdir(folder, 0777);
    *at = '/';
  }
  free(folder);
}

static bool is_ours(uid_t owner) { return owner == 0 || owner == geteuid(); }

/* Does not follow a link unless this user made it, as people do to move their output elsewhere. */
static int enter(int parent, const char *name) {
  struct stat status;
  int folder = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder >= 0 || (errno != ENOTDIR && errno != ELOOP)) return folder;
  bool is_own_link = fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode) && is_ours(status.st_uid);
  if (is_own_link) return openat(parent, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
  errno = EPERM;
  return -1;
}

static int make_and_enter(int parent, const char *name) {
  int folder = enter(parent, name);
  if (folder >= 0 || errno != ENOENT) return folder;
  if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST) return -1;
  return enter(parent, name);
}

struct folder {
  int file;
  /* who owns the folders on the way that are not ours, which a file system may cause; none is NOBODY */
  uid_t stranger;
};
static const uid_t NOBODY = (uid_t)-1;

/*
 * The folder of a file. Below the output directory, where others may be able to write, each folder on the way is opened
 * in the one before it, so that nobody can lead this process elsewhere.
 */
static struct folder open_folder_of(const char *path) {
  struct folder found = {-1, NOBODY};
  bool is_below = is_below_output(path);
  char *copy = must(strdup(path)), *name = copy + strlen(output_directory) + 1, *end;
  if (!is_below) {
    *strrchr(copy, '/') = '\0';
    found.file = open(*copy == '\0' ? "/" : copy, O_PATH | O_DIRECTORY | O_CLOEXEC);
  } else found.file = open(output_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (; is_below && found.file >= 0 && (end = strchr(name, '/')) != NULL; name = end + 1) {
    struct stat status;
    *end = '\0';
    int next = make_and_enter(found.file, name), why_not = errno;
    close(found.file);
    found.file = next;
    errno = why_not;
    if (next < 0 || fstat(next, &status) < 0 || is_ours(status.st_uid)) continue;
    if (found.stranger != NOBODY && found.stranger != status.st_uid) {
      close(next);
      found.file = -1;
      errno = EPERM;
    }
    found.stranger = status.st_uid;
  }
  free(copy);
  return found;
}

static bool is_planted(int file, int why_not) {
  struct stat status;
  if (file < 0) return why_not == ELOOP || why_not == ENXIO || why_not == EACCES || why_not == EPERM;
  return fstat(file, &status) < 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1 || !is_ours(status.st_uid);
}

/*
 * An empty file: a new one, or one of ours that is emptied. Links, pipes and files of others that have the name are
 * removed. In a folder of a stranger the file must be new, and belong to the stranger as well: then the file system gives
 * that owner to all that we make.
 */
static int open_in(struct folder folder, const char *name) {
  const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  struct stat status;
  int file = folder.stranger == NOBODY ? openat(folder.file, name, flags, 0666) : -1;
  if (folder.stranger == NOBODY && !is_planted(file, errno)) {
    if (file >= 0 && fstat(file, &status) == 0 && status.st_size > 0 && ftruncate(file, 0) < 0) errno = 0;
    return file;
  }
  if (file >= 0) close(file);
  if (unlinkat(folder.file, name, 0) < 0 && errno != ENOENT) return -1;
  file = openat(folder.file, name, flags | O_EXCL, 0666);
  if (file < 0 || folder.stranger == NOBODY) return file;
  if (fstat(file, &status) == 0 && status.st_uid == folder.stranger) return file;
  unlinkat(folder.file, name, 0);
  close(file);
  errno = EPERM;
  return -1;
}

/* In the folder, which is opened first unless it is open. */
static int open_output(const char *path, struct folder *folder) {
  if (strcmp(path, "/dev/null") == 0) return open(path, O_WRONLY | O_CLOEXEC);
  if (folder->file < 0) *folder = open_folder_of(path);
  if (folder->file < 0 && errno == ENOENT) {
    make_folders_above(path);
    *folder = open_folder_of(path);
  }
  if (folder->file < 0) return -1;
  int file = open_in(*folder, strrchr(path, '/') + 1);
  /* a job finds its output as it would be without this care */
  if (file >= 0) fcntl(file, F_SETFL, 0);
  return file;
}

static bool is_folder_shared(const char *path, const char *other) {
  size_t length = strrchr(path, '/') - path;
  return strncmp(path, other, length + 1) == 0 && strchr(other + length + 1, '/') == NULL;
}

static void leave(struct folder *folder) {
  int why_not = errno;
  if (folder->file >= 0) close(folder->file);
  folder->file = -1;
  errno = why_not;
}

/* CPUs by number: more than any kernel has. */
struct cpu_set {
  cpu_set_t parts[8];
};

/* From a list such as 0-3,8; false when it has none. */
static bool read_cpus(const char *list, struct cpu_set *set) {
  memset(set, 0, sizeof *set);
  char *at = (char *)list;
  while (*at >= '0' && *at <= '9') {
    unsigned long number = strtoul(at, &at, 10), last = *at == '-' ? strtoul(at + 1, &at, 10) : number;
    for (; number <= last && number < 8 * sizeof set->parts; number++) CPU_SET_S(number, sizeof set->parts, set->parts);
    if (*at == ',') at++;
  }
  return CPU_COUNT_S(sizeof set->parts, set->parts) > 0;
}

/*
 * The folder of this process may be another one by now: a network file system that was mounted again leaves what was open
 * on the one before. Where it has moved away, jobs start in what this process has. False when its file system fails.
 */
static bool enter_own_directory(void) {
  if (own_directory[0] == '\0' || chdir(own_directory) == 0) return true;
  return errno != ESTALE && errno != EIO && errno != ETIMEDOUT;
}

/* In the child, which shares this process's memory until exec; returns when that fails. */
static void become(const struct request *request, char *program, char **words, int output, int errors) {
  struct cpu_set cpus;
  setsid();
  bool is_bound = *request->binding != '\0' && read_cpus(request->cpus, &cpus);
  /* CPUs that were taken from this node meanwhile: the job then runs on those of this process */
  if (is_bound && sched_setaffinity(0, sizeof cpus.parts, cpus.parts) < 0) errno = 0;
  if (job_score != NULL) {
    int file = open(score_file, O_WRONLY | O_CLOEXEC);
    /* without it the job has the score of this process */
    if (file >= 0 && write(file, job_score, strlen(job_score)) < 0) errno = 0;
  }
  struct rlimit files;
  if (job_files > 0 && getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > job_files) {
    files.rlim_cur = job_files;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  if (dup2(output, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0 || !enter_own_directory()) return;
  execve(program, words, request->variables);
}

/* By the monotonic clock of the system, which the worker reads too. */
static long long now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* Starts one program, closes its files and waits for it; false, with errno set, when it cannot be started. */
static bool run_program(struct request *request, char *program, char **words, int output, int errors) {
  volatile int why_not = 0;
  struct rusage used;
  int status;
  const long long start_us = now_us();
  pid_t pid = vfork();
  if (pid == 0) {
    become(request, program, words, output, errors);
    why_not = errno;
    _exit(126);
  }
  if (pid < 0) return false;
  if (why_not == 0) {
    tell(false, "pid %s %d %.3f", request->id, pid, (double)start_us / 1e3);
    close(output);
    close(errors);
  }
  while (wait4(pid, &status, 0, &used) < 0)
    if (errno != EINTR) _exit(1);
  const long long end_us = now_us();
  if (why_not == 0) {
    long long micros = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000LL;
    micros += used.ru_utime.tv_usec + used.ru_stime.tv_usec;
    bool is_gone = kill(-pid, 0) < 0 && errno == ESRCH;
    /* after a kill the worker may be about to take all others back */
    bool may_succeed = is_gone && !WIFSIGNALED(status) && *request->place != '\0';
    if (may_succeed) request->next = dequeue(request->place, NULL);
    if (request->next != NULL) give_cpus(request->next, request->cpus);
    const char *next = request->next == NULL ? "-" : request->next->id;
    tell(num_queued < enough_queued, "end %s %d %lld %.3f %s %s %ld %.3f", request->id, status, (micros + 500) / 1000,
         (double)(end_us - start_us) / 1e3, is_gone ? "gone" : "left", next, used.ru_maxrss, (double)end_us / 1e3);
  }
  errno = why_not;
  return why_not == 0;
}

/* With the files open: runs the program itself where possible, else bash. Whether it ran, and the files are closed. */
static bool run_text(struct request *request, int output, int errors) {
  char **words = plain_words(request);
  struct program program = {NULL, false};
  if (words != NULL) program = program_of(request, words[0]);
  bool has_run = program.says_what_it_is && run_program(request, program.path, words, output, errors);
  free(program.path);
  if (words != NULL) free(words[0]);
  free(words);
  if (has_run) return true;
  words = must(malloc((num_shell_words + 2) * sizeof *words));
  memcpy(words, shell_words, num_shell_words * sizeof *words);
  words[num_shell_words] = request->text;
  words[num_shell_words + 1] = NULL;
  program = program_of(request, words[0]);
  if (program.path == NULL) errno = ENOENT;
  has_run = program.path != NULL && run_program(request, program.path, words, output, errors);
  if (!has_run) tell(true, "error %s %d %s", request->id, errno, words[0]);
  free(program.path);
  free(words);
  return has_run;
}

static void run(struct request *request) {
  struct folder folder = {-1, NOBODY};
  int output = open_output(request->stdout_path, &folder);
  if (output < 0 || !is_folder_shared(request->stdout_path, request->stderr_path)) leave(&folder);
  if (output < 0) {
    tell(true, "error %s %d %s", request->id, errno, request->stdout_path);
    return;
  }
  int errors = open_output(request->stderr_path, &folder);
  leave(&folder);
  if (errors < 0) tell(true, "error %s %d %s", request->id, errno, request->stderr_path);
  else if (run_text(request, output, errors)) return;
  else close(errors);
  close(output);
}

/* The environment of this process, replaced by the variables of a request, which extend from `at` to `end`. Has room for one more. */
static char **environment_with(char *at, char *end) {
  size_t num_variables = 0, num_given;
  for (char *each = at; each < end; each += strlen(each) + 1) num_variables++;
  for (char **each = environ; *each != NULL; each++) num_variables++;
  char **variables = must(malloc((num_variables + 2) * sizeof *variables)), **next = variables;
  for (; at < end; at += strlen(at) + 1) *next++ = at;
  num_given = next - variables;
  *next = NULL;
  for (char **each = environ; *each != NULL; each++) {
    size_t length = strcspn(*each, "=");
    size_t other = 0;
    while (other < num_given && (strncmp(variables[other], *each, length) != 0 || variables[other][length] != '=')) other++;
    if (other == num_given) *next++ = *each;
  }
  *next = NULL;
  return variables;
}

/* Does not return when there are no more. */
static struct request *read_request(void) {
  uint32_t length;
  if (fread(&length, sizeof length, 1, requests) != 1) _exit(0);
  length = ntohl(length);
  struct request *request = must(calloc(1, sizeof *request));
  char *body = request->body = must(malloc(length + 1));
  if (fread(body, 1, length, requests) != length) _exit(0);
  body[length] = '\0';
  char *at = body, *end = body + length;
  /* about a job that waits, the third field is the CPUs */
  char **fields[] = {&request->id,          &request->turn, &request->place, &request->stdout_path,
                     &request->stderr_path, &request->text, &request->cpus,  &request->binding};
  for (size_t index = 0; index < sizeof fields / sizeof *fields; index++) {
    if ((index == 2 || index == 3) && at == end) break;
    if (at >= end) _exit(1);
    *fields[index] = at;
    at += strlen(at) + 1;
  }
  if (request->text != NULL) request->variables = environment_with(at, end);
  request->number = ++num_read;
  return request;
}

/* The next job to start; takes in those that wait. */
static struct request *next_to_start(void) {
  while (true) {
    struct request *request = read_request();
    bool is_now = strcmp(request->turn, "now") == 0;
    if (request->text != NULL) {
      if (is_now) return request;
      enqueue(request);
      continue;
    }
    struct request *waiting = dequeue(NULL, request->id);
    if (waiting != NULL && is_now) give_cpus(waiting, request->place);
    forget(request);
    if (waiting == NULL) continue;
    if (is_now) return waiting;
    tell(true, "withdrawn %s", waiting->id);
    forget(waiting);
  }
}

/*
 * One thread at a time waits for a request; when it gets one and no other thread is free, it starts another. If that
 * fails while other jobs run, this job fails instead, and this thread waits for the next request. A few free threads are
 * kept.
 */
static void *serve(void *may_end) {
  const int most_free = 4;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&small, 256 * 1024);
  while (true) {
    pthread_mutex_lock(&turn_to_read);
    struct request *request = next_to_start();
    int failure = 0;
    if (--num_free_threads == 0) {
      pthread_t other;
      failure = pthread_create(&other, &small, serve, &num_threads);
      if (failure == 0) {
        num_free_threads++;
        num_threads++;
      }
    }
    pthread_mutex_unlock(&turn_to_read);
    bool can_run = failure == 0 || num_threads == 1;
    if (!can_run) tell(true, "error %s %d %s", request->id, failure, shell_words[0]);
    while (request != NULL) {
      if (can_run) run(request);
      struct request *next = request->next;
      forget(request);
      request = next;
    }
    if (may_end != NULL && num_free_threads >= most_free) break;
    num_free_threads++;
  }
  num_threads--;
  return NULL;
}

/* A search for this worker's processes by their variables must find only the jobs. */
static void hide_environment(void) {
  size_t num_variables = 0;
  while (environ[num_variables] != NULL) num_variables++;
  char **copy = must(calloc(num_variables + 1, sizeof *copy));
  for (size_t index = 0; index < num_variables; index++) {
    copy[index] = must(strdup(environ[index]));
    memset(environ[index], 0, strlen(environ[index]));
  }
  environ = copy;
}

static void ignore(int signal) { (void)signal; }

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  char own_score[16] = "";
  int file = open(score_file, O_RDONLY | O_CLOEXEC);
  if (file >= 0 && read(file, own_score, sizeof own_score - 1) > 0 && atoi(own_score) < atoi(argv[1])) job_score = argv[1];
  close(file);
  hide_environment();
  job_files = strtoul(argv[2], NULL, 10);
  output_directory = argv[3];
  if (getcwd(own_directory, sizeof own_directory) == NULL) own_directory[0] = '\0';
  shell_words = argv + 4;
  num_shell_words = argc - 4;
  /* a handler rather than SIG_IGN, so that started programs get the default again */
  struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
  const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE};
  for (size_t index = 0; index < sizeof signals / sizeof *signals; index++) sigaction(signals[index], &action, NULL);
  requests = fdopen(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), "r");
  report = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (requests == NULL || report < 0 || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0) return 1;
  /* the arenas and default stacks of many threads could exceed a limit on the address space; musl has no arenas */
#ifdef M_ARENA_MAX
  mallopt(M_ARENA_MAX, 1);
#endif
  num_free_threads = 1;
  num_threads = 1;
  pthread_t reporter;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 * 1024);
  has_reporter = pthread_create(&reporter, &small, report_later, NULL) == 0;
  tell(true, "ready");
  serve(NULL);
}
