/** Where a fact came from. `what` names the file, path of the API, or command. */
export interface Source {
  readonly host: string
  readonly via: Via
  readonly what: string
}

export type Via =
  | 'file'
  | 'store'
  | 'api'
  | 'rpc'
  | 'service-manager'
  | 'process'
  | 'journal'
  | 'config'
  | 'host'
  | 'inventory'
  | 'operator'
  | 'transport'

/**
 * Why there is no fact. `absent` is knowledge (the thing was looked for and is not there); all others are
 * ignorance. `unsupported`: this version or host has no such thing. `changed`: it kept changing while it was
 * read. `over-budget`: reading it would have cost more bytes than allowed. `not-asked`: it would not have
 * helped, for example an API of a stopped server.
 */
export type Unread =
  | 'no-route'
  | 'refused'
  | 'timed-out'
  | 'denied'
  | 'absent'
  | 'unparsable'
  | 'corrupt'
  | 'changed'
  | 'over-budget'
  | 'unsupported'
  | 'not-asked'
  | 'failed'

/**
 * A fact, or why there is none. Never a guess: nothing in the core may turn "no answer" into "no" or "dead".
 * `detail` is one bounded, printable sentence in the words of whoever refused.
 */
export type Reading<T> = Read<T> | NotRead
export interface Read<T> {
  readonly kind: 'read'
  readonly value: T
  readonly source: Source
}
export interface NotRead {
  readonly kind: 'unread'
  readonly why: Unread
  readonly detail?: string
  readonly source: Source
}

/** Makes a fact that was read. */
export function read<T>(value: T, source: Source): Read<T> {
  return {kind: 'read', value, source}
}

/** Makes a fact that was not read. */
export function unread(why: Unread, source: Source, detail?: string): NotRead {
  return detail === undefined ? {kind: 'unread', why, source} : {kind: 'unread', why, detail, source}
}

/** The value of a reading, or undefined when it was not read. */
export function valueOf<T>(reading: Reading<T>): T | undefined {
  return reading.kind === 'read' ? reading.value : undefined
}

/** Whether the thing was looked for and is certainly not there. */
export function isAbsent(reading: Reading<unknown>): boolean {
  return reading.kind === 'unread' && reading.why === 'absent'
}

/** Applies `f` to the value of a reading, keeping its source. */
export function mapReading<T, U>(reading: Reading<T>, f: (value: T) => U): Reading<U> {
  return reading.kind === 'read' ? {...reading, value: f(reading.value)} : reading
}
