import type {EventsAt, RecentEvent, SerfState, UserEvent} from '../wire/serf.js'
import {encodeSerf} from '../wire/serf.js'
import {BroadcastQueue} from './broadcast-queue.js'
import {LamportClock} from './lamport.js'
import type {StepContext} from './step-context.js'

/** Name and payload of a user event together (`UserEventSizeLimit`, serf config.go). */
export const USER_EVENT_BYTES_MAX = 512
/** Lamport times that are remembered, for events and for queries (`EventBuffer`, `QueryBuffer`, serf config.go). */
export const RECENT_TIMES = 512
/** Events of one Lamport time that are kept; honest pools have one or two. */
const SLOT_EVENTS_MAX = 32
/** What one event that came from others may hold: a packet at most. */
const FOREIGN_BYTES_MAX = 9 * 1024
/** All payloads and names that are remembered. */
const REMEMBERED_BYTES_MAX = 4 << 20

/** Events told by all to all, each once; the last 512 Lamport times are remembered to know what was told. */
export class UserEvents {
  readonly clock: LamportClock
  readonly queue = new BroadcastQueue()
  private readonly ring = new Map<number, {ltime: number; events: RecentEvent[]}>()
  private remembered = 0
  private minTime: number

  constructor(
    private readonly context: StepContext,
    restoredClock: number,
  ) {
    this.clock = new LamportClock()
    if (restoredClock > 0) this.clock.witness(restoredClock)
    this.minTime = restoredClock > 0 ? restoredClock + 1 : 0
  }

  /** Tells an event of ours. */
  fire(name: string, payload: Uint8Array, coalesce: boolean): void {
    const event: UserEvent = {type: 'user-event', ltime: this.clock.increment(), name, payload, coalesce}
    this.handle(event)
    this.queue.push(encodeSerf(event))
  }

  /** Handles an event that came as broadcast and passes it on when it is new. */
  received(event: UserEvent, bytes: Uint8Array): void {
    if (this.handle(event)) this.queue.push(bytes.slice())
  }

  /** Our part of what is exchanged about events. */
  localState(): Pick<SerfState, 'eventLTime' | 'events'> {
    return {eventLTime: this.clock.time, events: [...this.ring.values()]}
  }

  /** The other's part. `ignoreOld`: what it has seen so far is not told. */
  mergeState({eventLTime, events}: SerfState, ignoreOld: boolean): void {
    if (eventLTime > 0) this.clock.witness(eventLTime - 1)
    if (ignoreOld) this.minTime = Math.max(this.minTime, eventLTime)
    for (const {ltime, events: some} of byTime(events)) {
      for (const {name, payload} of some)
        this.handle({type: 'user-event', ltime, name, payload, coalesce: false})
    }
  }

  private handle({ltime, name, payload, coalesce}: UserEvent): boolean {
    this.clock.witness(ltime)
    if (ltime < this.minTime || name.length + payload.length > FOREIGN_BYTES_MAX) return false
    if (ltime < this.clock.time - RECENT_TIMES) {
      this.context.log('warn', `an old event ${name} of time ${ltime} is ignored`)
      return false
    }
    const event: RecentEvent = {name, payload: payload.slice()}
    if (!this.remember(ltime, event)) return false
    this.context.emit({do: 'user-event', lamportTime: ltime, name, payload: event.payload, coalesce})
    this.context.snapshot(`event-clock: ${ltime}`)
    return true
  }

  /** False when the event was remembered already, or there is no room for it. */
  private remember(ltime: number, event: RecentEvent): boolean {
    const place = ltime % RECENT_TIMES
    const slot = this.ring.get(place)
    if (slot?.ltime === ltime) {
      if (slot.events.length >= SLOT_EVENTS_MAX || slot.events.some(one => sameEvent(one, event)))
        return false
    } else {
      for (const old of slot?.events ?? []) this.remembered -= sizeOf(old)
      this.ring.set(place, {ltime, events: []})
    }
    if (this.remembered + sizeOf(event) > REMEMBERED_BYTES_MAX) return false
    this.remembered += sizeOf(event)
    this.ring.get(place)?.events.push(event)
    return true
  }
}

const sizeOf = ({name, payload}: RecentEvent): number => name.length + payload.length

const byTime = (events: readonly EventsAt[]): readonly EventsAt[] =>
  [...events].sort((a, b) => a.ltime - b.ltime)

const sameEvent = (a: RecentEvent, b: RecentEvent): boolean =>
  a.name === b.name &&
  a.payload.length === b.payload.length &&
  a.payload.every((byte, index) => byte === b.payload[index])
