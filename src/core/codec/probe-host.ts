import type {DataDisk, FileFacts} from '../model/observation.js'
import {formatIp} from './address-bytes.js'

/** A file's facts with what ties it to /proc/locks. */
export interface StatLine extends FileFacts {
  readonly device: number | undefined
  readonly inode: number
}

/** Seconds since 1970 from `date +%s.%N`; busybox leaves `%N` or nothing after the point. */
export function parseDate(text: string): number | undefined {
  const match = /^(\d{9,11})(?:\.(\d{1,9}))?/.exec(text.trim())
  if (match === null) return undefined
  // Without a fraction the true time lies anywhere in the second; its middle is off by half of one at most.
  return Number(match[1]) + (match[2] === undefined ? 0.5 : Number(`0.${match[2]}`))
}

/** Addresses in the output of `ip -o addr`; loopback and link-local ones are kept, scope is left to the caller. */
export function parseIpAddresses(text: string): readonly string[] {
  return unique([...text.matchAll(/^\d+: \S+\s+inet6? ([0-9a-fA-F.:]+)/gm)].map(match => match[1] ?? ''))
}

/** Local addresses in /proc/net/fib_trie followed by /proc/net/if_inet6. */
export function parseFibTrie(text: string): readonly string[] {
  const found: string[] = []
  let last = ''
  for (const line of text.split('\n')) {
    const leaf = /^\s*\|--\s+(\d+\.\d+\.\d+\.\d+)\s*$/.exec(line)
    if (leaf?.[1] !== undefined) last = leaf[1]
    else if (/^\s*\/32 host LOCAL/.test(line) && last !== '') found.push(last)
    const six = /^([0-9a-f]{32}) [0-9a-f]{2} [0-9a-f]{2} /.exec(line)
    if (six?.[1] !== undefined) found.push(formatIp(fromHex(six[1])))
  }
  return unique(found)
}

/** Lines of `stat -c '%f %u %g %s %Y %d %i %n'`; the last field is the name and may hold spaces. */
export function parseStat(text: string): readonly StatLine[] {
  const lines: StatLine[] = []
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]{1,8}) (\d+) (\d+) (\d+) (-?\d+) (\d+) (\d+) (\/.*)$/.exec(line)
    if (match === null) continue
    const raw = parseInt(match[1] ?? '', 16)
    lines.push({
      path: match[8] ?? '',
      kind: kindOf(raw & 0o170000),
      mode: raw & 0o7777,
      uid: Number(match[2]),
      gid: Number(match[3]),
      sizeBytes: Number(match[4]),
      mtimeMs: Number(match[5]) * 1000,
      device: Number(match[6]),
      inode: Number(match[7]),
    })
  }
  return lines
}

/**
 * Lines of `ls -ldin`, for hosts without stat. `nowMs` is the host's clock: a date without a year is the latest
 * such date that is not in its future.
 */
export function parseLs(text: string, nowMs: number): readonly StatLine[] {
  const lines: StatLine[] = []
  for (const line of text.split('\n')) {
    const match =
      /^\s*(\d+) ([-dlpscb])([-rwxsStT]{9})[.+@]?\s+\d+\s+(\d+)\s+(\d+)\s+(\d+)\s+([A-Z][a-z]{2})\s+(\d{1,2})\s+(\d{4}|\d{2}:\d{2})\s(\/.*)$/.exec(
        line,
      )
    if (match === null) continue
    const letter = match[2] ?? ''
    const name = match[10] ?? ''
    lines.push({
      path: letter === 'l' ? (name.split(' -> ')[0] ?? name) : name,
      kind: letter === '-' ? 'file' : letter === 'd' ? 'directory' : letter === 'l' ? 'link' : 'other',
      mode: modeOf(match[3] ?? ''),
      uid: Number(match[4]),
      gid: Number(match[5]),
      sizeBytes: Number(match[6]),
      mtimeMs: lsTime(match[7] ?? '', Number(match[8]), match[9] ?? '', nowMs),
      device: undefined,
      inode: Number(match[1]),
    })
  }
  return lines
}

/**
 * What holds the data directory, from `df -Pk`, `df -Pi` and /proc/mounts. Undefined when df did not answer, as on a
 * file system whose server is gone.
 */
export function parseDisk(
  dataDir: string,
  outputs: {readonly df: string; readonly dfi: string; readonly mounts: string},
  raftBytes: number | undefined,
): DataDisk | undefined {
  const line = lastLine(outputs.df)
  const blocks = /\s(\d+)\s+(\d+)\s+(-?\d+)\s+(?:\d+%|-)\s+(\/.*)$/.exec(line)
  if (blocks === null) return undefined
  const mountPoint = blocks[4] ?? '/'
  const mount = outputs.mounts
    .split('\n')
    .map(text => text.split(' '))
    .filter(fields => unescapeMount(fields[1] ?? '') === mountPoint)
    .at(-1) // the last one mounted there covers the others
  const inodes = /\s\d+\s+\d+\s+(\d+)\s+(?:\d+%|-)\s+\/.*$/.exec(lastLine(outputs.dfi))
  return {
    dataDir,
    fileSystem: mount?.[2] ?? 'unknown',
    sizeBytes: Number(blocks[1]) * 1024,
    freeBytes: Math.max(0, Number(blocks[3])) * 1024,
    freeInodes: inodes === null ? undefined : Number(inodes[1]),
    raftBytes,
    readOnly: (mount?.[3] ?? '').split(',').includes('ro'),
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? ''
}

/** /proc/mounts writes space, tab, line feed and backslash as three octal digits. */
function unescapeMount(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)))
}

function kindOf(format: number): FileFacts['kind'] {
  if (format === 0o100000) return 'file'
  if (format === 0o040000) return 'directory'
  return format === 0o120000 ? 'link' : 'other'
}

function modeOf(letters: string): number {
  let mode = 0
  for (let i = 0; i < 9; i++) {
    const letter = letters[i] ?? '-'
    if (letter !== '-' && letter !== 'S' && letter !== 'T') mode |= 1 << (8 - i)
    if (/[sStT]/.test(letter)) mode |= 1 << (11 - Math.floor(i / 3))
  }
  return mode
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

function lsTime(month: string, day: number, yearOrTime: string, nowMs: number): number {
  const at = MONTHS.indexOf(month)
  if (!yearOrTime.includes(':')) return Date.UTC(Number(yearOrTime), at, day)
  const [hours, minutes] = yearOrTime.split(':').map(Number)
  const year = new Date(nowMs).getUTCFullYear()
  const thisYear = Date.UTC(year, at, day, hours, minutes)
  return thisYear > nowMs + 86_400_000 ? Date.UTC(year - 1, at, day, hours, minutes) : thisYear
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)]
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], pair => parseInt(pair, 16))
}
