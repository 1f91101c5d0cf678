import type {Server} from '../model/configuration.js'
import type {LogEntry, Target} from './messages.js'

/** How long to wait after the nth failure in a row to reach a peer, doubling from 10 ms (`backoff`, util.go). */
export function backoffMs(failures: number, maxMs: number): number {
  return Math.min(maxMs, 10 * 2 ** Math.min(failures - 1, 20))
}

/** How a leader sees one of its peers, and what is on its way to it. */
export class Progress {
  target: Target
  voter: boolean
  /** Last index known to be on the peer's disk and the same as ours. */
  match = 0
  /** Next index to send. With `pipeline` it runs ahead of what is answered. */
  next: number
  mode: 'probe' | 'pipeline' | 'snapshot' = 'probe'
  /** Counts the times that sending began anew: answers to requests of before say nothing about `next`. */
  epoch = 0
  appendsInFlight = 0
  failures = 0
  retryAtMs = 0
  /** When it last answered. */
  lastContactMs: number
  answered = false
  /** For how long after a request of ours it votes for no other, as it last said, and until when it does not. */
  loyalMs = Infinity
  leaseUntilMs = -Infinity
  ackedRequestId = 0
  /** A refusal of what the peer had accepted is only believed of requests sent after this one. */
  matchKnownAtRequestId = 0
  heartbeat: {readonly requestId: number; readonly sentMs: number} | undefined = undefined
  heartbeatDueMs: number
  /** The highest commit index that the peer was sent, and when it is to be told of a newer one. */
  commitSent = 0
  commitDueMs = Infinity
  /** The read under way for entries that are not in memory, and what the last one brought. */
  readId: number | undefined = undefined
  fetched: readonly LogEntry[] = []
  /** A removed server is sent the log up to its removal, for so long, that it may know. */
  leaving: {readonly index: number; readonly untilMs: number} | undefined = undefined
  lost = false

  constructor(server: Server, next: number, nowMs: number) {
    this.target = {id: server.id, address: server.address}
    this.voter = server.suffrage === 'voter'
    this.next = next
    this.lastContactMs = nowMs
    this.heartbeatDueMs = nowMs
  }

  /** Starts over from `next`, one request at a time; what is in flight no longer counts. */
  probeFrom(next: number): void {
    this.mode = 'probe'
    this.next = next
    this.epoch++
    this.appendsInFlight = 0
    this.commitSent = 0
    this.commitDueMs = Infinity
    this.fetched = []
  }

  /** The peer could not be reached. */
  fail(nowMs: number, backoffMaxMs: number): void {
    this.failures++
    this.retryAtMs = nowMs + backoffMs(this.failures, backoffMaxMs)
  }

  /** The peer is reached again. */
  recover(): void {
    this.failures = 0
    this.retryAtMs = 0
  }
}
