import type {GossipEffect} from '../../core/gossip/messages.js'
import type {QueryOutcome} from './gossip.js'

/** What came of a join. */
export interface JoinOutcome {
  readonly contacted: number
  readonly problems: readonly string[]
}

/** The effects that answer what a caller waits for. */
export type Answer = Extract<
  GossipEffect,
  {do: 'joined' | 'left' | 'force-left' | 'query-ack' | 'query-response' | 'query-done'}
>

interface RunningQuery {
  readonly acks: string[]
  readonly responses: {readonly from: string; readonly payload: Uint8Array}[]
  /** Answers after which nothing more can come. */
  readonly enough: number
  readonly done: (outcome: QueryOutcome) => void
}

/** Callers that wait for something of the pool, by the tokens under which they asked. */
export class Pending {
  private readonly joins = new Map<number, (outcome: JoinOutcome) => void>()
  private readonly leaves = new Map<number, () => void>()
  private readonly forceLeaves = new Map<number, (found: boolean) => void>()
  private readonly queries = new Map<number, RunningQuery>()

  /** Waits for a join; `ask` asks for it once the waiting is noted. */
  join(token: number, ask: () => void): Promise<JoinOutcome> {
    return new Promise(resolve => {
      this.joins.set(token, resolve)
      ask()
    })
  }

  /** Waits for our leave to be known. */
  leave(token: number, ask: () => void): Promise<void> {
    return new Promise(resolve => {
      this.leaves.set(token, resolve)
      ask()
    })
  }

  /** Waits for a force-leave to be told; false when the name is unknown. */
  forceLeave(token: number, ask: () => void): Promise<boolean> {
    return new Promise(resolve => {
      this.forceLeaves.set(token, resolve)
      ask()
    })
  }

  /** Waits for a query's time to be over, or for as many answers as are enough. */
  query(token: number, ask: () => void, enough = Infinity): Promise<QueryOutcome> {
    return new Promise(resolve => {
      this.queries.set(token, {acks: [], responses: [], enough, done: resolve})
      ask()
    })
  }

  /** Hands an answer to whom it is for. */
  take(effect: Answer): void {
    const {token} = effect
    switch (effect.do) {
      case 'joined':
        this.joins.get(token)?.({contacted: effect.contacted, problems: effect.problems})
        this.joins.delete(token)
        return
      case 'left':
        this.leaves.get(token)?.()
        this.leaves.delete(token)
        return
      case 'force-left':
        this.forceLeaves.get(token)?.(effect.found)
        this.forceLeaves.delete(token)
        return
      case 'query-ack':
        this.queries.get(token)?.acks.push(effect.from)
        return
      case 'query-response': {
        const query = this.queries.get(token)
        query?.responses.push({from: effect.from, payload: effect.payload})
        return query !== undefined && query.responses.length >= query.enough
          ? this.endQuery(token)
          : undefined
      }
      case 'query-done':
        return this.endQuery(token)
    }
  }

  private endQuery(token: number): void {
    const query = this.queries.get(token)
    this.queries.delete(token)
    query?.done({acks: query.acks, responses: query.responses})
  }

  /** Nobody is to wait for what can no longer happen. */
  end(): void {
    for (const done of this.joins.values()) done({contacted: 0, problems: ['this agent is stopped']})
    for (const done of this.leaves.values()) done()
    for (const done of this.forceLeaves.values()) done(false)
    for (const {done, acks, responses} of this.queries.values()) done({acks, responses})
    for (const waiting of [this.joins, this.leaves, this.forceLeaves, this.queries]) waiting.clear()
  }
}
