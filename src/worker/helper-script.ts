/**
 * The helper that starts processes for a worker: a small Perl program, because Perl is on nearly every node, forks in
 * a fifth of the time that node needs, and hands on the raw wait status.
 *
 * Its arguments: the score by which the kernel chooses whom to kill that jobs get, the number of the system call setsid
 * (empty where that is not known), and the words that run a text. It reads requests from standard input, each a length
 * and then length-prefixed fields (id, stdout, stderr, text, then names and values of variables), and writes lines:
 * `ready`, `pid ID PID`, `error ID ERRNO WHAT`, `end ID STATUS CPU_MS`. It ends when standard input does. A forked child
 * opens the files, so that a slow file system holds up one job and not the worker.
 *
 * A command that any shell would run as it stands is run without one, which halves the cost of a job that does nothing
 * (a bash takes 1 ms to start). What does not work that way is left to bash, so that its words and return codes hold.
 *
 * What a fork costs grows with the pages that Perl has touched and that the child then touches: 3.1 million instructions
 * for a job of `true` with POSIX loaded and everything done in the child, 2.5 as it is; `xargs` takes 1.8.
 */
export const helperScript = `
use strict;
# One word: Slurm's proctrack/linuxproc reads /proc/PID/stat up to the first space and would lose sight of every job.
$0 = 'torc-starts-jobs';
my ($score, $setsid) = splice @ARGV, 0, 2;
require POSIX unless $setsid;
# with a handler instead of 'IGNORE' a program that a child runs has them at their default again
$SIG{$_} = sub {} for qw(INT TERM HUP QUIT USR1 USR2 PIPE);
pipe(my $woken, my $wake) or exit 1;
open(my $requests, '<&', \\*STDIN) or exit 1;
open(my $report, '>&', \\*STDOUT) or exit 1;
open(STDIN, '<', '/dev/null') or exit 1;
my ($own_score, $score_file);
if (open($score_file, '+<', '/proc/self/oom_score_adj')) {
  sysread $score_file, $own_score, 32;
  undef $score_file if $own_score >= $score;
}
$SIG{CHLD} = sub { syswrite $wake, 'x' };
my (%id_of, $input);
$input = '';
my $waited = 0;
my $no_hang = 1;
# Perl runs a handler between two of its own steps: a signal just before select is noticed only after it
my $longest_wait = 0.05;

# words that bash knows by itself; true and false do the same as programs
my %known_to_bash = map { $_ => 1 } qw(
  . : [ alias bg bind break builtin caller case cd command compgen complete compopt continue coproc declare dirs disown
  do done echo elif else enable esac eval exec exit export fc fg fi for function getopts hash help history if in jobs
  kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set shift shopt source
  suspend test then time times trap type typeset ulimit umask unalias unset until wait while
);
my $has_bash_settings = grep { exists $ENV{$_} } qw(BASH_ENV SHELLOPTS BASHOPTS);

sub plain_words {
  my ($text) = @_;
  return () if $has_bash_settings || $text !~ m{^[\\w./+-][\\w./+:,\\@-]*(?: +[\\w./+:,\\@%=-]+)*\\z}a;
  my @words = split / +/, $text;
  return () if $known_to_bash{$words[0]} || exists $ENV{"BASH_FUNC_$words[0]%%"};
  return @words;
}

# where bash would find it; a script that does not say what runs it is left to bash, as exec would ask sh
sub program_of {
  my ($word) = @_;
  my @places = $word =~ m{/} ? ($word) : map { ($_ eq '' ? '.' : $_) . "/$word" } split /:/, $ENV{PATH} // '', -1;
  for my $path (@places) {
    next unless -f $path && -x _;
    open(my $file, '<', $path) or return undef;
    sysread $file, my $start, 4;
    return $start =~ /^(?:#!|\\x7fELF)/ ? $path : undef;
  }
  return undef;
}

sub tell_worker { syswrite $report, join(' ', @_) . "\\n" }

sub make_folders {
  my ($folder) = @_;
  return if $folder eq '' || -d $folder;
  (my $above = $folder) =~ s{/[^/]*$}{};
  make_folders($above);
  mkdir $folder;
}

sub open_output {
  my ($handle, $path) = @_;
  return 1 if open($handle, '>', $path);
  return 0 unless $!{ENOENT};
  (my $folder = $path) =~ s{/[^/]*$}{};
  make_folders($folder);
  return open($handle, '>', $path);
}

sub give_up {
  my ($id, $what) = @_;
  my $errno = $! + 0;
  $what =~ tr/\\n/ /;
  tell_worker('error', $id, $errno, $what);
  exit 126;
}

# a session and group of its own, without loading POSIX where that can be helped: it makes each fork a quarter dearer
sub leave_session {
  syscall($setsid) if $setsid;
  return if getpgrp == $$;
  require POSIX;
  POSIX::setsid();
}

sub run_child {
  my ($id, $stdout, $stderr, $text, %variables) = @_;
  leave_session();
  @ENV{keys %variables} = values %variables;
  open_output(\\*STDOUT, $stdout) or give_up($id, $stdout);
  open_output(\\*STDERR, $stderr) or give_up($id, $stderr);
  my @words = plain_words($text);
  my $program = @words ? program_of($words[0]) : undef;
  exec { $program } @words if defined $program;
  exec { $ARGV[0] } @ARGV, $text;
  give_up($id, $ARGV[0]);
}

sub start {
  my ($id) = @_;
  # a child begins with the score that this process has at that moment
  syswrite $score_file, $score if $score_file;
  my $pid = fork;
  syswrite $score_file, $own_score if $score_file && $pid;
  if (!defined $pid) {
    tell_worker('error', $id, $! + 0, 'fork');
    tell_worker('end', $id, -1, 0);
  } elsif ($pid) {
    $id_of{$pid} = $id;
    tell_worker('pid', $id, $pid);
  } else {
    run_child(@_);
  }
}

sub reap {
  while ((my $pid = waitpid(-1, $no_hang)) > 0) {
    my $status = $?;
    my (undef, undef, $user, $system) = times;
    my $cpu_ms = 1000 * ($user + $system - $waited);
    $waited = $user + $system;
    my $id = delete $id_of{$pid};
    tell_worker('end', $id, $status, int($cpu_ms + 0.5)) if defined $id;
  }
}

tell_worker('ready');
while (1) {
  my $ready = '';
  vec($ready, fileno($_), 1) = 1 for $requests, $woken;
  my $found = select($ready, undef, undef, %id_of ? $longest_wait : undef);
  next if $found < 0;
  sysread $woken, my $dropped, 4096 if $found && vec($ready, fileno($woken), 1);
  reap();
  next unless $found;
  next unless vec($ready, fileno($requests), 1);
  my $got = sysread $requests, $input, 65536, length $input;
  next if !defined $got && $!{EINTR};
  exit 0 unless $got;
  while (length $input >= 4 && length $input >= 4 + unpack('N', $input)) {
    my $request = unpack('N/a*', $input);
    substr($input, 0, 4 + length $request) = '';
    start(unpack('(N/a*)*', $request));
  }
}
`;
