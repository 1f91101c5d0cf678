import type {StreamMessage} from '../wire/gossip-stream.js'
import type {Endpoint, Member} from './member.js'

/** Which members a query is for; all of them must hold (`QueryParam`, serf query.go). */
export interface QueryFilters {
  /** Only these members; empty for all. */
  readonly nodes: readonly string[]
  /** Only members whose tag matches the regular expression anywhere in its value. */
  readonly tags: Readonly<Record<string, string>>
}

/** A query as its asker words it. */
export interface QueryRequest {
  readonly name: string
  readonly payload: Uint8Array
  readonly filters: QueryFilters
  /** Every member that is asked says at once that it heard. */
  readonly acknowledge: boolean
  /** Undefined for the pool's own: gossip interval × 16 × ceil(log10(members + 1)). */
  readonly timeoutMs: number | undefined
  /** How many other members carry each answer as well, for networks that lose much; 0 to 5. */
  readonly relayFactor: number
}

/** What is asked of a keyring, of ours by another member or by us of all (serf internal_query.go). */
export type KeyOperation = 'install' | 'use' | 'remove' | 'list'

/** The outcome of a key operation on one member. */
export interface KeyringResult {
  readonly ok: boolean
  /** Why it failed, or a remark. */
  readonly message: string
  /** All keys in base64, for `list`. */
  readonly keys: readonly string[]
  readonly primaryKey: string
}

/**
 * What happens to a node. Every event comes with the time of a monotonic clock in milliseconds. `token`s are chosen
 * by the driver and come back in the effect that answers; `streamId`s are chosen by the node.
 */
export type GossipEvent =
  /** Time passed: sent at or after `nextDeadlineMs()`. */
  | {readonly on: 'tick'}
  /** A datagram came in; it is decrypted but as it was sent otherwise. */
  | {readonly on: 'packet'; readonly from: Endpoint; readonly bytes: Uint8Array}
  /** A stream was opened to us and brought this message; always answered by `answer-stream`. */
  | {
      readonly on: 'stream-message'
      readonly token: number
      readonly from: Endpoint
      readonly message: StreamMessage
    }
  /** The answer on a stream that we opened. */
  | {readonly on: 'stream-reply'; readonly streamId: number; readonly message: StreamMessage}
  /** No answer came on a stream that we opened; `why` is for people. */
  | {readonly on: 'stream-failed'; readonly streamId: number; readonly why: string}
  /** Join the pool of these agents. */
  | {
      readonly on: 'join'
      readonly token: number
      readonly to: readonly Endpoint[]
      /** User events from before the join are not told. */
      readonly ignoreOldEvents: boolean
    }
  /** Leave the pool for good; told by `left` when others know of it. */
  | {readonly on: 'leave'; readonly token: number}
  /** Tell the pool that a failed member has left, and with `prune` that it is to be forgotten. */
  | {readonly on: 'force-leave'; readonly token: number; readonly name: string; readonly prune: boolean}
  /** Replace our tags. Their encoded form must fit (`encodeTags`). */
  | {readonly on: 'set-tags'; readonly tags: Readonly<Record<string, string>>}
  /** Tell all members of an event. Name and payload must fit (`USER_EVENT_BYTES_MAX`). */
  | {
      readonly on: 'user-event'
      readonly name: string
      readonly payload: Uint8Array
      readonly coalesce: boolean
    }
  /** Ask all members; answered by `query-ack`, `query-response` and in the end `query-done`. */
  | {readonly on: 'query'; readonly token: number; readonly request: QueryRequest}
  /** Our answer to a query that was told by `query-received`. */
  | {readonly on: 'query-answer'; readonly queryId: number; readonly payload: Uint8Array}
  /** What became of a `change-keyring`. */
  | {readonly on: 'keyring-changed'; readonly queryId: number; readonly result: KeyringResult}

/** What happened to a member (serf `EventType`). */
export type MemberChange = 'join' | 'leave' | 'failed' | 'update' | 'reap'

/** What a node asks of its driver, in order. */
export type GossipEffect =
  /** Send a datagram, encrypted where the pool is; `bytes` and encryption fit into 1400 together. */
  | {readonly do: 'send-packet'; readonly to: Endpoint; readonly bytes: Uint8Array}
  /** Open a stream, send one message and wait for one; answer by `stream-reply` or `stream-failed`. */
  | {
      readonly do: 'open-stream'
      readonly streamId: number
      readonly to: Endpoint
      readonly bytes: Uint8Array
      readonly timeoutMs: number
    }
  /** Answer the stream of this token, or with undefined close it without an answer. */
  | {readonly do: 'answer-stream'; readonly token: number; readonly bytes: Uint8Array | undefined}
  /** A member's state changed. */
  | {readonly do: 'member-changed'; readonly change: MemberChange; readonly member: Member}
  /** A user event arrived; each is told once. */
  | {
      readonly do: 'user-event'
      readonly lamportTime: number
      readonly name: string
      readonly payload: Uint8Array
      readonly coalesce: boolean
    }
  /** A member asks us; answer by `query-answer` before the deadline, or not at all. */
  | {
      readonly do: 'query-received'
      readonly queryId: number
      readonly name: string
      readonly payload: Uint8Array
      readonly from: string
      readonly deadlineMs: number
    }
  /** A member heard our query. */
  | {readonly do: 'query-ack'; readonly token: number; readonly from: string}
  /** A member answered our query. */
  | {
      readonly do: 'query-response'
      readonly token: number
      readonly from: string
      readonly payload: Uint8Array
    }
  /** Our query is over; whatever comes now is dropped. */
  | {readonly do: 'query-done'; readonly token: number}
  /** Change or list our keys; answer by `keyring-changed`. `key` is empty for `list`. */
  | {
      readonly do: 'change-keyring'
      readonly queryId: number
      readonly operation: KeyOperation
      readonly key: Uint8Array
    }
  /** All addresses of a join were tried. */
  | {
      readonly do: 'joined'
      readonly token: number
      readonly contacted: number
      readonly problems: readonly string[]
    }
  /** We are out of the pool; the node may be stopped. */
  | {readonly do: 'left'; readonly token: number}
  /** A force-leave went out, or its name is unknown. */
  | {readonly do: 'force-left'; readonly token: number; readonly found: boolean}
  /** Append these lines, each without its newline, to the snapshot file. */
  | {readonly do: 'append-snapshot'; readonly lines: readonly string[]}
  /** We lost the vote about our name: another member owns it. The agent is to stop. */
  | {readonly do: 'name-lost'; readonly name: string}
  /** For the log. `text` may hold what peers sent; it is to be made printable. */
  | {readonly do: 'log'; readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly text: string}
