/** Why a file system takes nothing more, in words: the person's quota, the disk, its server. */

/** Of a network file system that may answer again: then nothing is known of what is in it. */
const passing: ReadonlySet<string | null> = new Set(['EIO', 'ESTALE', 'ETIMEDOUT']);

/** Whether a system's code says that a file system fails, and not what is in it. */
export function isFileSystemFailure(code: string | null): boolean {
  return passing.has(code);
}

/** What a system's code says about the file system of a folder, and what to do; null for a code of another kind. */
export function fullWords(code: string | null, folder: string): { problem: string; advice: string } | null {
  switch (code) {
    case 'EDQUOT':
      return {
        problem: `your quota on the file system of ${folder} is used up (EDQUOT)`,
        advice: 'Remove files of yours there, or ask your administrators for a larger quota.',
      };
    case 'ENOSPC':
      return { problem: `the file system of ${folder} is full (ENOSPC)`, advice: 'Free some space there.' };
    case 'EROFS':
      return {
        problem: `the file system of ${folder} has become read-only (EROFS)`,
        advice: 'Ask your administrators what has happened to it.',
      };
    case 'ESTALE':
      return {
        problem: `the file system of ${folder} was replaced on its server (ESTALE)`,
        advice: 'Ask your administrators to mount it again.',
      };
    case 'EIO':
    case 'ETIMEDOUT':
      return {
        problem: `the file system of ${folder} fails or does not answer (${code})`,
        advice:
          'Ask your administrators what has happened to it; an NFS that is mounted soft fails where one that is mounted hard waits.',
      };
    case 'EFBIG':
      return {
        problem: `a file in ${folder} has reached the size that its file system or your limits allow (EFBIG)`,
        advice: 'Look at ulimit -f.',
      };
    default:
      return null;
  }
}
