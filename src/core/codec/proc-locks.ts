/** Whether a file is locked, as far as /proc/locks tells. */
export type LockHolder =
  | {readonly kind: 'free'}
  /** `pid` is undefined when the kernel names no process: another namespace, or a lock of an open file. */
  | {readonly kind: 'held'; readonly pid: number | undefined}

const LINE =
  /^\d+: (FLOCK|POSIX|OFDLCK)\s+(?:ADVISORY|MANDATORY)\s+(READ|WRITE)\s+(-?\d+)\s+([0-9a-f]+):([0-9a-f]+):(\d+)\s/

/**
 * Finds who holds a lock on the file with this inode in the text of /proc/locks. A device, where it is known, decides
 * between files of one inode number; on file systems whose device differs from that of `stat` (btrfs, overlayfs)
 * it finds nothing, and the inode alone is then believed. Waiters (`->`) hold nothing.
 */
export function parseLockHolder(
  text: string,
  file: {
    readonly inode: number
    readonly device?: {readonly major: number; readonly minor: number} | undefined
  },
): LockHolder {
  let elsewhere: LockHolder = {kind: 'free'}
  for (const line of text.split('\n')) {
    const match = LINE.exec(line)
    if (match === null || Number(match[6]) !== file.inode) continue
    const pid = Number(match[3])
    const holder: LockHolder = {kind: 'held', pid: pid > 0 ? pid : undefined}
    const {device} = file
    const here =
      device === undefined ||
      (parseInt(match[4] ?? '', 16) === device.major && parseInt(match[5] ?? '', 16) === device.minor)
    if (here) return holder
    elsewhere = holder
  }
  return elsewhere
}
