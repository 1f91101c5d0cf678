import type {JournalMatch, JournalObservation} from '../model/observation.js'
import {printable} from '../text.js'
import {jsonValue, scanJson} from './json-scan.js'
import {HUNG_SIGNATURE, LOG_SIGNATURES} from './log-signatures.js'
import type {LogSignature} from './log-signatures.js'
import {logLineTime} from './log-time.js'

/** Bounds of matching. */
export interface LogMatchLimits {
  /** How far local time of the host is ahead of UTC, for dates without a zone. */
  readonly utcOffsetMs?: number
}

/** What is beyond this in a line is not matched. */
const LINE_MAX = 4096
const TEXT_MAX = 300
const GROUP_MAX = 200
const CHUNK_BYTES = 1 << 20
/** A line without a date of its own belongs to one of so many before it. */
const LOOK_BACK_LINES = 5

interface Tally {
  count: number
  firstAtMs: number | undefined
  lastAtMs: number | undefined
  line: string
  groups: readonly string[]
}

/**
 * Matches log lines against the known signatures, in one pass and constant memory: the anchors of all signatures
 * are searched in large pieces of text, and only lines that hold one are looked at by pattern. Understands the text
 * formats of all versions, JSON logs, and what journald, svlogd and multilog put before a line.
 */
export class LogMatcher {
  private readonly tallies = new Map<string, Tally>()
  private readonly offset: number
  private rest = ''
  private overlong = false
  private lines = 0
  private fromMs: number | undefined
  private toMs: number | undefined
  private lastLine = ''

  constructor(limits: LogMatchLimits = {}) {
    this.offset = limits.utcOffsetMs ?? 0
  }

  /** Takes the next piece of the log; lines may be torn anywhere. */
  push(piece: string): void {
    let text = piece
    if (this.overlong) {
      const end = text.indexOf('\n')
      if (end === -1) return
      text = this.rest + text.slice(end)
      this.overlong = false
    } else text = this.rest + text
    const end = text.lastIndexOf('\n')
    if (end === -1 || text.length - end > LINE_MAX + 1) {
      this.overlong = text.length - end > LINE_MAX + 1
      this.rest = text.slice(end + 1, this.overlong ? end + 1 + LINE_MAX : undefined)
    } else this.rest = text.slice(end + 1)
    if (end !== -1) this.block(text.slice(0, end + 1))
  }

  /** Ends the log; a last line without a newline counts. */
  finish(): JournalObservation {
    if (this.rest !== '') this.block(`${this.rest}\n`)
    this.rest = ''
    if (HUNG_SIGNATURE.lastLine.test(this.lastLine))
      this.count(HUNG_SIGNATURE.id, this.lastLine, this.toMs, [])
    return {lines: this.lines, fromMs: this.fromMs, toMs: this.toMs, matches: this.matches()}
  }

  private matches(): readonly JournalMatch[] {
    return Array.from(this.tallies, ([signature, tally]) => ({
      signature,
      count: tally.count,
      firstAtMs: tally.firstAtMs,
      lastAtMs: tally.lastAtMs,
      text: printable(tally.line.trim(), TEXT_MAX),
      groups: tally.groups,
    }))
  }

  /** Matches whole lines. */
  private block(text: string): void {
    this.measure(text)
    // Positions in the folded text must be those of the text, and only ASCII keeps its length in lower case.
    const folded = (isAscii(text) ? text : text.replace(NOT_ASCII, '?')).toLowerCase()
    for (const signature of LOG_SIGNATURES) this.search(text, folded, signature)
  }

  private search(text: string, folded: string, signature: LogSignature): void {
    const seen = new Set<number>()
    for (const anchor of signature.anchors) {
      for (let at = folded.indexOf(anchor); at !== -1; at = folded.indexOf(anchor, at)) {
        const start = text.lastIndexOf('\n', at) + 1
        const end = text.indexOf('\n', at)
        // A line that holds two anchors counts once.
        if (!seen.has(start)) this.tryLine(text, start, end, signature)
        if (signature.anchors.length > 1) seen.add(start)
        at = end
      }
    }
  }

  private tryLine(text: string, start: number, end: number, signature: LogSignature): void {
    const line = text.slice(start, Math.min(end, start + LINE_MAX))
    const found = signature.pattern.exec(plainLine(line))
    if (found === null) return
    const groups = found.slice(1).filter((group): group is string => group !== undefined)
    const at = this.timeOf(text, start, line)
    this.count(
      signature.id,
      line,
      at,
      groups.map(group => printable(group, GROUP_MAX)),
    )
  }

  private count(id: string, line: string, at: number | undefined, groups: readonly string[]): void {
    const tally = this.tallies.get(id)
    if (tally === undefined) {
      this.tallies.set(id, {count: 1, firstAtMs: at, lastAtMs: at, line, groups})
      return
    }
    tally.count++
    if (at !== undefined) {
      tally.firstAtMs = Math.min(tally.firstAtMs ?? at, at)
      if (tally.lastAtMs !== undefined && at < tally.lastAtMs) return
      tally.lastAtMs = at
    }
    tally.line = line
    tally.groups = groups
  }

  private timeOf(text: string, start: number, line: string): number | undefined {
    let at = logLineTime(line, this.offset)
    for (let back = start, tries = 0; at === undefined && back > 0 && tries < LOOK_BACK_LINES; tries++) {
      const before = text.lastIndexOf('\n', back - 2) + 1
      at = logLineTime(text.slice(before, Math.min(back, before + LINE_MAX)), this.offset)
      back = before
    }
    return at
  }

  /** Counts lines and takes the time of the first and of the last that has one. */
  private measure(text: string): void {
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.lines++
    if (this.fromMs === undefined) this.fromMs = firstTime(text, this.offset)
    for (let end = text.length - 1, tries = 0; end > 0 && tries < 100; tries++) {
      const start = text.lastIndexOf('\n', end - 1) + 1
      const line = text.slice(start, Math.min(end, start + LINE_MAX))
      if (tries === 0 || this.lastLine === '') this.lastLine = line
      if (this.lastLine.trim() === '') this.lastLine = line
      const time = logLineTime(line, this.offset)
      if (time !== undefined) {
        this.toMs = time
        return
      }
      end = start - 1
    }
  }
}

/** Matches a whole log, given as bytes or as lines without their newlines. */
export function matchLog(
  log: Uint8Array | Iterable<string>,
  limits: LogMatchLimits = {},
): JournalObservation {
  const matcher = new LogMatcher(limits)
  if (log instanceof Uint8Array) {
    const decoder = new TextDecoder('utf-8', {ignoreBOM: true})
    for (let at = 0; at < log.length; at += CHUNK_BYTES)
      matcher.push(decoder.decode(log.subarray(at, at + CHUNK_BYTES), {stream: true}))
    matcher.push(decoder.decode())
    return matcher.finish()
  }
  let batch: string[] = []
  let length = 0
  for (const line of log) {
    batch.push(line, '\n')
    length += line.length
    if (length < CHUNK_BYTES) continue
    matcher.push(batch.join(''))
    batch = []
    length = 0
  }
  matcher.push(batch.join(''))
  return matcher.finish()
}

function firstTime(text: string, utcOffsetMs: number): number | undefined {
  for (let start = 0, tries = 0; start < text.length && tries < 1000; tries++) {
    const end = text.indexOf('\n', start)
    const time = logLineTime(text.slice(start, Math.min(end, start + LINE_MAX)), utcOffsetMs)
    if (time !== undefined) return time
    start = end + 1
  }
  return undefined
}

const NOT_ASCII = /[\u0080-\uffff]/g
const isAscii = (text: string): boolean => !/[\u0080-\uffff]/.test(text)

/** A line of a JSON log as the text log would have it: `message: key=value key="quoted value"`. */
function plainLine(line: string): string {
  const brace = line.indexOf('{"@')
  if (brace === -1) return line
  const scan = scanJson(line.slice(brace))
  if (!scan.ok || scan.node.kind !== 'object') return line
  let message = ''
  const pairs: string[] = []
  for (const {key, value} of scan.node.members) {
    const content = jsonValue(value)
    const text = typeof content === 'string' ? content : (JSON.stringify(content) ?? '')
    if (key === '@message') message = text
    else if (!key.startsWith('@')) pairs.push(`${key}=${/[\s"=]/.test(text) ? `"${text}"` : text}`)
  }
  return pairs.length === 0 ? message : `${message}: ${pairs.join(' ')}`
}
