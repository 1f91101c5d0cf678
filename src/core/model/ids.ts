/** The identity of a server in the Raft configuration. Up to Raft protocol 2 it is the same text as its address. */
export type ServerId = string & {readonly brand: 'ServerId'}
/** Where a server's Raft transport is reached: `host:port`. */
export type ServerAddress = string & {readonly brand: 'ServerAddress'}
/** The position of an entry in the Raft log, counted from 1; 0 means none. */
export type LogIndex = number & {readonly brand: 'LogIndex'}
/** A Raft term; 0 means none. */
export type Term = number & {readonly brand: 'Term'}

/** Marks a text as a server id. Legality is judged by `checkConfiguration`, not here. */
export const serverId = (text: string): ServerId => text as ServerId
/** Marks a text as a server address. Legality is judged by `checkConfiguration`, not here. */
export const serverAddress = (text: string): ServerAddress => text as ServerAddress
/** Marks a number as a log index. */
export const logIndex = (value: number): LogIndex => value as LogIndex
/** Marks a number as a term. */
export const term = (value: number): Term => value as Term

/** The end of a log: index and term of its last entry, the only order in which logs are compared (Raft §5.4.1). */
export interface LogEnd {
  readonly index: LogIndex
  readonly term: Term
}

/** Orders two log ends as a voter does: higher term first, then higher index. Positive when `a` is better. */
export function compareLogEnds(a: LogEnd, b: LogEnd): number {
  return a.term - b.term || a.index - b.index
}
