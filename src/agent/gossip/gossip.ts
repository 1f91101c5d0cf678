import type {Endpoint, Member, MergeRule} from '../../core/gossip/member.js'
import type {KeyOperation, MemberChange, QueryRequest} from '../../core/gossip/messages.js'
import type {GossipStats} from '../../core/gossip/node.js'
import type {GossipProfile} from '../../core/gossip/profile.js'
import type {PeerFilter} from '../peer-filter.js'

/** How to take part in one gossip pool. */
export interface GossipSettings {
  readonly name: string
  /** Where to listen, for packets and streams; port 0 takes a free one. */
  readonly bind: Endpoint
  /** What others are told; a port of 0 is the one that was bound. */
  readonly advertise: Endpoint
  readonly tags: Readonly<Record<string, string>>
  readonly profile: GossipProfile
  /** Undefined for plain gossip unless the keyring file is there. */
  readonly key: Uint8Array | undefined
  /** Undefined keeps keys in memory only. */
  readonly keyringFile: string | undefined
  readonly verifyIncoming: boolean
  readonly verifyOutgoing: boolean
  /** Undefined keeps no memory of the pool over a restart. */
  readonly snapshotFile: string | undefined
  /** Come back by oneself after a leave, too. */
  readonly rejoinAfterLeave: boolean
  readonly mergeRule: MergeRule | undefined
  /** Stop when the pool says that our name is another's. Consul's servers do not. */
  readonly resolveNameConflicts: boolean
  /** Serf protocol that we say we speak: 4 as Consul, 5 as `serf agent`. */
  readonly delegateProtocol: 4 | 5
  readonly filter: PeerFilter
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', text: string) => void
}

/** What a pool tells those who listen. */
export type GossipNotice =
  | {readonly on: 'member'; readonly change: MemberChange; readonly member: Member}
  | {
      readonly on: 'user-event'
      readonly lamportTime: number
      readonly name: string
      readonly payload: Uint8Array
      readonly coalesce: boolean
    }
  | {
      readonly on: 'query'
      readonly name: string
      readonly payload: Uint8Array
      readonly from: string
      /** Answers, once; does nothing when it is too late. */
      readonly respond: (payload: Uint8Array) => void
    }
  /** The pool gave our name to another; we should stop. */
  | {readonly on: 'name-lost'}

/** What came of a query when its time was over. */
export interface QueryOutcome {
  /** Members that said that they heard it. */
  readonly acks: readonly string[]
  readonly responses: readonly {readonly from: string; readonly payload: Uint8Array}[]
}

/** What all members said to an operation on their keys (`KeyResponse`, serf keymanager.go). */
export interface KeyReport {
  /** Members that were asked. */
  readonly nodes: number
  readonly responses: number
  readonly errors: number
  /** What members said, by their names. */
  readonly messages: Readonly<Record<string, string>>
  /** Members that hold a key, and that seal with it, by the key in base64. */
  readonly keys: Readonly<Record<string, number>>
  readonly primaryKeys: Readonly<Record<string, number>>
}

/** Our part in one gossip pool. */
export interface Gossip {
  /** What others reach us at. */
  readonly address: Endpoint
  /** Whether packets and streams are encrypted. */
  readonly encrypted: boolean
  members(): readonly Member[]
  member(name: string): Member | undefined
  /** Ourselves. */
  local(): Member
  /**
   * Joins by way of `host`, `host:port` or `[v6]:port`, all at once; the port is ours where none is given. Tells how
   * many answered and what went wrong.
   */
  join(
    addresses: readonly string[],
    options?: {readonly ignoreOldEvents: boolean},
  ): Promise<{readonly contacted: number; readonly problems: readonly string[]}>
  /** Leaves the pool gracefully; resolves when others know and have had time to say so. `shutdown` is still needed. */
  leave(): Promise<void>
  /** Declares a failed member left, with `prune` also forgotten; false when nobody of the name is known. */
  forceLeave(name: string, options?: {readonly prune: boolean}): Promise<boolean>
  /** Replaces our tags. Throws AgentError when they are longer than 512 bytes encoded. */
  setTags(tags: Readonly<Record<string, string>>): void
  /** Tells all members of an event. Throws AgentError when name and payload are longer than 512 bytes. */
  userEvent(name: string, payload: Uint8Array, options?: {readonly coalesce: boolean}): void
  /** Asks all members, or those that a filter names; resolves when the time is over. */
  query(request: Partial<QueryRequest> & {readonly name: string}): Promise<QueryOutcome>
  /** Does something to the keys of all members; `key` in bytes, none for `list`. */
  keys(operation: KeyOperation, key?: Uint8Array): Promise<KeyReport>
  /** Calls back with what happens from now on, members that are there already not included. */
  on(listener: (notice: GossipNotice) => void): () => void
  stats(): GossipStats
  /** Falls silent without a word and lets go of sockets and files. */
  shutdown(): Promise<void>
}
