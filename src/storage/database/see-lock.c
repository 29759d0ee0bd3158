/*
 * torc-see-lock: whether another process holds the exclusive lock of an SQLite database.
 *
 *     torc-see-lock FILE
 *
 * Prints `true` or `false`; or, with exit code 1, what the system says. It locks the same bytes as SQLite does, and leaves
 * the file as it is. It is a program of its own because a process never sees its own locks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* see PENDING_BYTE in the documentation of SQLite's file format: that byte, the reserved one, 510 shared ones */
enum { first_byte = 0x40000000, num_bytes = 512 };

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = first_byte, .l_len = num_bytes};
  int file = open(argv[1], O_RDWR | O_CLOEXEC);
  int is_free = file >= 0 && fcntl(file, F_SETLK, &lock) == 0;
  if (!is_free && (file < 0 || (errno != EAGAIN && errno != EACCES))) {
    fprintf(stderr, "%s\n", strerror(errno));
    return 1;
  }
  puts(is_free ? "false" : "true");
  return 0;
}
