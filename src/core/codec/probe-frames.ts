import type {Parsed} from './parse-problem.js'
import {parsed, problemAt} from './parse-problem.js'

/**
 * How a section of the probe went. `absent`: certainly not there. `denied`: we may not look. `odd`: there, but not
 * what it should be, such as a pipe in place of a file. `cut`: the output ends within it. A number is the exit
 * status of the program that answered.
 */
export type SectionStatus = number | 'absent' | 'denied' | 'odd' | 'cut'

/** One answer of the probe. Names may repeat; the order is that of the script. */
export interface ProbeSection {
  readonly name: string
  readonly bytes: Uint8Array
  readonly status: SectionStatus
}

/** A section that begins with a path and NUL, split. */
export interface FileSection {
  readonly path: string
  readonly bytes: Uint8Array
  readonly status: SectionStatus
}

const MAGIC = ascii('quorate-probe 1 ')
const SECTIONS_MAX = 2000
const MARK_MAX = 64
const STATUS_WORDS = new Set(['absent', 'denied', 'odd'])

/**
 * Splits what the probe printed into sections. Text before the probe's first line (a greeting of the login shell)
 * is passed over. Output that ends early yields what came, its last section marked `cut`.
 */
export function parseProbeFrames(output: Uint8Array): Parsed<readonly ProbeSection[]> {
  const start = firstLine(output)
  if (start === -1)
    return problemAt('the host did not run the probe: its first line is missing', {line: 1, column: 1})
  const endOfLine = output.indexOf(10, start)
  const mark = output.subarray(start + MAGIC.length, endOfLine === -1 ? output.length : endOfLine)
  if (mark.length === 0 || mark.length > MARK_MAX)
    return problemAt('the probe has no mark', {line: 1, column: 1})
  const opening = concat(ascii('\n@'), mark, ascii(' '))
  const closing = concat(ascii('\n@'), mark, ascii('. '))
  const sections: ProbeSection[] = []
  let at = endOfLine === -1 ? output.length : endOfLine
  while (sections.length < SECTIONS_MAX) {
    const open = indexOfBytes(output, opening, at)
    if (open === -1) break
    const nameEnd = output.indexOf(10, open + 1)
    if (nameEnd === -1) break
    const name = text(output.subarray(open + opening.length, nameEnd))
    const close = indexOfBytes(output, closing, nameEnd + 1)
    if (close === -1) {
      sections.push({name, bytes: output.subarray(nameEnd + 1), status: 'cut'})
      break
    }
    const lineEnd = output.indexOf(10, close + 1)
    const word = text(output.subarray(close + closing.length, lineEnd === -1 ? output.length : lineEnd))
    sections.push({name, bytes: output.subarray(nameEnd + 1, close), status: statusOf(word)})
    at = lineEnd === -1 ? output.length : lineEnd
  }
  return parsed(sections)
}

/** Splits a section into its path and content; undefined when it holds no path. */
export function fileSection(section: ProbeSection): FileSection | undefined {
  const zero = section.bytes.indexOf(0)
  if (zero === -1) return undefined
  return {
    path: text(section.bytes.subarray(0, zero)),
    bytes: section.bytes.subarray(zero + 1),
    status: section.status,
  }
}

/** Bytes as text; what is not UTF-8 becomes U+FFFD. */
export function text(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes)
}

function statusOf(word: string): SectionStatus {
  if (STATUS_WORDS.has(word)) return word as SectionStatus
  return /^\d{1,3}$/.test(word) ? Number(word) : 'cut'
}

function firstLine(output: Uint8Array): number {
  for (let at = 0; ; at++) {
    at = indexOfBytes(output, MAGIC, at)
    if (at <= 0 || output[at - 1] === 10) return at
  }
}

function ascii(word: string): Uint8Array {
  return Uint8Array.from(word, character => character.charCodeAt(0))
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function indexOfBytes(haystack: Uint8Array, needle: Uint8Array, from: number): number {
  const first = needle[0] ?? 0
  search: for (let at = haystack.indexOf(first, from); at !== -1; at = haystack.indexOf(first, at + 1)) {
    if (at + needle.length > haystack.length) return -1
    for (let i = 1; i < needle.length; i++) if (haystack[at + i] !== needle[i]) continue search
    return at
  }
  return -1
}
