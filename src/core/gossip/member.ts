/** Where an agent is reached: a numeric address, and one port for packets and streams. */
export interface Endpoint {
  readonly ip: string
  readonly port: number
}

/** How a member stands, in the words of `serf members`. */
export type MemberStatus = 'alive' | 'leaving' | 'left' | 'failed'

/** Range of a protocol that a member speaks, and what it speaks now. */
export interface ProtocolRange {
  readonly min: number
  readonly max: number
  readonly current: number
}

/** A member of the pool as Serf knows it: what `serf members` and `/v1/agent/members` show. */
export interface Member {
  readonly name: string
  readonly ip: string
  readonly port: number
  readonly tags: Readonly<Record<string, string>>
  readonly status: MemberStatus
  /** memberlist's protocol. */
  readonly protocol: ProtocolRange
  /** Serf's own protocol. */
  readonly delegate: ProtocolRange
}

/** What a member claims to be before it is let in. */
export interface Applicant {
  readonly name: string
  readonly ip: string
  readonly port: number
  readonly tags: Readonly<Record<string, string>>
  /** It is told of as one that has left: it is known but takes no part. */
  readonly left: boolean
}

/**
 * Says why a set of members may not be merged into the pool, or undefined when it may. Asked with all members that a join
 * brings, and with one for each that is heard of by gossip (`MergeDelegate` and `AliveDelegate`, memberlist).
 */
export type MergeRule = (applicants: readonly Applicant[]) => string | undefined

/** Numbers of 0 up to, but without, 1: the only chance that the core knows. */
export type Random = () => number
