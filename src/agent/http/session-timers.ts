import {parseGoDuration} from '../../core/codec/go-duration.js'
import {bareSession, encodeSession, encodeTombstoneReap} from '../../core/fsm/commands.js'
import type {Session} from '../../core/fsm/messages.js'
import type {AgentBackend} from '../backend.js'

/** A session lives for twice its TTL after its last sign of life (`session_ttl.go`, consul agent/consul). */
const TTL_MULTIPLIER = 2
const TICK_MS = 500
const TOMBSTONE_TTL_MS = 15 * 60_000

/**
 * The leader's clock: ends sessions that were not renewed, and has tombstones forgotten after a quarter of an hour.
 * A new leader gives every session its full time again, since it cannot know what its predecessor heard.
 */
export class SessionTimers {
  private readonly until = new Map<string, number>()
  private readonly graves: {readonly index: number; readonly at: number}[] = []
  private timer: NodeJS.Timeout | undefined
  private led = false

  constructor(private readonly backend: AgentBackend) {}

  start(): void {
    this.timer ??= setInterval(() => this.tick(), TICK_MS)
    this.timer.unref()
    this.tick()
  }

  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  /** A sign of life of a session. */
  renew(session: Session): void {
    const ttl = session.ttl === '' ? undefined : parseGoDuration(session.ttl)
    if (ttl === undefined || ttl <= 0) return
    this.until.set(session.id, this.backend.monotonicMs() + ttl * TTL_MULTIPLIER)
  }

  /** One look at the clock. */
  tick(): void {
    const {backend} = this
    const {machine} = backend
    const leads = machine !== undefined && backend.leads()
    if (!leads) {
      this.led = false
      this.until.clear()
      this.graves.length = 0
      return
    }
    const now = backend.monotonicMs()
    const known = new Set<string>()
    for (const {value} of machine.tables.sessions.from('')) {
      if (value.ttl === '') continue
      known.add(value.id)
      if (!this.led || !this.until.has(value.id)) this.renew(value)
    }
    this.led = true
    for (const [id, until] of this.until) {
      if (!known.has(id)) this.until.delete(id)
      else if (until <= now) {
        // Should the command not be committed, the session is seen again at the next tick.
        this.until.delete(id)
        this.propose(encodeSession(backend.identity.datacenter, 'destroy', bareSession(id)))
      }
    }
    this.reap(machine.tables.index('tombstones') ?? 0, machine.tables.tombstones.size, now)
  }

  private reap(index: number, graves: number, now: number): void {
    const newest = this.graves.at(-1)
    if (graves > 0 && newest?.index !== index && (newest === undefined || now - newest.at >= 30_000))
      this.graves.push({index, at: now})
    const [oldest] = this.graves
    if (oldest === undefined || now - oldest.at < TOMBSTONE_TTL_MS) return
    this.graves.shift()
    this.propose(encodeTombstoneReap(this.backend.identity.datacenter, oldest.index))
  }

  private propose(command: Uint8Array): void {
    // What comes of it is seen in the state; a refusal only means that another leader will do it.
    void this.backend.apply(command).catch(() => undefined)
  }
}
