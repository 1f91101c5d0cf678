import {printable} from '../text.js'

/** Severities of log lines, mildest first. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** One line of an agent's log. */
export interface LogLine {
  readonly level: LogLevel
  /** The part that speaks, such as `server.raft`; `agent` for the agent itself. */
  readonly scope: string
  readonly text: string
  readonly atMs: number
}

const TEXT_MAX = 4000
/** What JSON lets through and a terminal would obey. */
const UNSAFE_IN_JSON = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g

/** A log line as Consul writes it since 1.7: `2026-11-20T13:35:09.861Z [INFO]  agent.server.raft: text`. */
export function formatLogLine({level, scope, text, atMs}: LogLine): string {
  const label = `[${level.toUpperCase()}]`.padEnd(7)
  return `${timeOf(atMs)} ${label} ${moduleOf(scope)}: ${printable(text, TEXT_MAX)}`
}

/** The same as one line of JSON, with the names that go-hclog gives its fields. */
export function formatLogJson({level, scope, text, atMs}: LogLine): string {
  const line = {
    '@level': level,
    '@message': text.slice(0, TEXT_MAX),
    '@module': moduleOf(scope),
    '@timestamp': timeOf(atMs),
  }
  return JSON.stringify(line).replace(
    UNSAFE_IN_JSON,
    unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** A level by any of the names that Consul takes for it; undefined for any other text. */
export function parseLogLevel(text: string): LogLevel | undefined {
  const name = text.toLowerCase()
  const level = name === 'err' ? 'error' : name === 'warning' ? 'warn' : name
  return LOG_LEVELS.find(one => one === level)
}

/** Whether lines of a level show where at least `least` is asked for. */
export function showsAt(level: LogLevel, least: LogLevel): boolean {
  return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(least)
}

function moduleOf(scope: string): string {
  return scope === 'agent' ? scope : `agent.${scope}`
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString()
}
