// Widths are counted in terminal cells, so that tables stay straight with names in any script.

const colourCodes = /\u001b\[[0-9;]*m/g

const wideRanges: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1f9ff],
  [0x20000, 0x3fffd],
]

const isZeroWidth = (character: string): boolean => /^[\p{Mn}\p{Me}\p{Cf}]$/u.test(character)

function characterWidth(character: string): number {
  const code = character.codePointAt(0) ?? 0
  if (code < 0x300) return code < 0x20 || (code >= 0x7f && code < 0xa0) ? 0 : 1
  if (isZeroWidth(character)) return 0
  return wideRanges.some(([from, to]) => code >= from && code <= to) ? 2 : 1
}

/** The number of terminal cells a text takes; colour codes and combining marks take none, wide characters two. */
export function displayWidth(text: string): number {
  let width = 0
  for (const character of text.replaceAll(colourCodes, '')) width += characterWidth(character)
  return width
}

/** Cuts a text to `width` cells, ending it in `cutMark` when something was cut. The text must not hold colour codes. */
export function truncate(text: string, width: number, cutMark: string): string {
  if (displayWidth(text) <= width) return text
  const room = Math.max(0, width - displayWidth(cutMark))
  let kept = ''
  let used = 0
  for (const character of text) {
    used += characterWidth(character)
    if (used > room) break
    kept += character
  }
  return kept + cutMark
}

/** Fills a text with spaces on its right up to `width` cells. */
export function padRight(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)))
}

/** Fills a text with spaces on its left up to `width` cells. */
export function padLeft(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - displayWidth(text))) + text
}

/**
 * Breaks a text at spaces into lines of at most `width` cells, all but the first indented by `indent` spaces. A
 * word longer than a line keeps its own line: commands and paths must stay whole to be copied.
 */
export function wrap(text: string, width: number, indent = 0): string[] {
  const lines: string[] = []
  const margin = ' '.repeat(indent)
  let line = ''
  for (const word of text.split(/\s+/).filter(part => part !== '')) {
    const start = lines.length === 0 ? '' : margin
    if (line === '') line = start + word
    else if (displayWidth(line) + 1 + displayWidth(word) <= width) line += ` ${word}`
    else {
      lines.push(line)
      line = margin + word
    }
  }
  if (line !== '' || lines.length === 0) lines.push(line)
  return lines
}

/** A point in time as `2026-11-20 03:04:12Z`. */
export function formatTime(atMs: number): string {
  const iso = new Date(atMs).toISOString()
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}Z`
}

/** A duration in one unit: `340 ms`, `2.1 s`, `25 min`, `6 h`, `9 d`. */
export function formatDuration(durationMs: number): string {
  const ms = Math.abs(durationMs)
  if (ms < 1000) return `${Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 100) return `${seconds.toFixed(1)} s`
  const minutes = seconds / 60
  if (minutes < 100) return `${Math.round(minutes)} min`
  const hours = minutes / 60
  return hours < 48 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} d`
}

/** A number of bytes with a binary unit: `0 B`, `6.1 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit] ?? ''}`
}

/** A last log as operators read it: `184467 @ 42`. */
export function formatLogEnd(end: {readonly index: number; readonly term: number}): string {
  return `${end.index} @ ${end.term}`
}
