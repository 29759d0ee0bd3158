/** Why a file system takes nothing more, in words: the person's quota, the disk, its server. */

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
    default:
      return null;
  }
}
