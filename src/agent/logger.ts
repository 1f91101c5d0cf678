import {appendFileSync} from 'node:fs'
import type {LogLevel, LogLine} from '../core/codec/agent-log-line.js'
import {formatLogJson, formatLogLine, showsAt} from '../core/codec/agent-log-line.js'

/** Takes one line of the agent's log. `scope` is the part that speaks, such as `server.raft`. */
export type AgentLog = (level: LogLevel, scope: string, text: string) => void

interface Watcher {
  readonly level: LogLevel
  readonly sink: (line: string) => void
}

/** Lines that a new watcher is shown first, and that start is remembered by. */
const KEPT_LINES = 512

/** The agent's log: to stdout, to a file where one is named, and to whoever watches (`/v1/agent/monitor`). */
export class AgentLogger {
  private level: LogLevel
  private readonly kept: LogLine[] = []
  private readonly watchers = new Set<Watcher>()

  constructor(
    private readonly how: {
      readonly level: LogLevel
      readonly json: boolean
      readonly file: string | undefined
      /** Takes a line with its newline. */
      readonly out: (line: string) => void
      readonly nowMs: () => number
    },
  ) {
    this.level = how.level
  }

  /** Logs a line. May be handed on by itself. */
  readonly log: AgentLog = (level, scope, text) => {
    const shown = showsAt(level, this.level)
    if (!shown && this.watchers.size === 0) return
    const line: LogLine = {level, scope, text, atMs: this.how.nowMs()}
    if (shown) this.show(line)
    for (const watcher of this.watchers) if (showsAt(level, watcher.level)) watcher.sink(formatLogLine(line))
  }

  /** Whether lines of this level go anywhere; spares the making of those that do not. */
  wants(level: LogLevel): boolean {
    if (showsAt(level, this.level)) return true
    return [...this.watchers].some(watcher => showsAt(level, watcher.level))
  }

  /** Shows from now on lines of at least this level. */
  setLevel(level: LogLevel): void {
    this.level = level
  }

  /** Hands `sink` the last lines and then every line of at least `level`, without newline, until the answer is called. */
  monitor(level: LogLevel, sink: (line: string) => void): () => void {
    for (const line of this.kept) if (showsAt(line.level, level)) sink(formatLogLine(line))
    const watcher = {level, sink}
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  private show(line: LogLine): void {
    this.kept.push(line)
    if (this.kept.length > KEPT_LINES) this.kept.shift()
    const text = `${this.how.json ? formatLogJson(line) : formatLogLine(line)}\n`
    this.how.out(text)
    if (this.how.file === undefined) return
    try {
      appendFileSync(this.how.file, text, {mode: 0o600})
    } catch {
      // A log file that cannot be written must not end the agent; stdout has the line
    }
  }
}
