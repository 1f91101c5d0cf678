import {decodeMsgpack, encodeMsgpack, msgpackText} from '../core/codec/msgpack.js'
import type {MsgpackMap} from '../core/codec/msgpack.js'
import type {UserEventRecord} from './backend.js'

const PREFIX = 'consul:event:'
const KEPT = 256
const VERSION = 1
const RAW_BYTES_MAX = 1024

/** The name under which a user event travels through the pool (`userEventName`, consul agent/consul/client_serf.go). */
export const gossipName = (name: string): string => `${PREFIX}${name}`

/** The payload of a user event (`UserEvent`, consul agent/user_event.go). */
export function encodeUserEvent(event: UserEventRecord): Uint8Array {
  return encodeMsgpack({
    ID: event.id,
    Name: event.name,
    Payload: event.payload,
    NodeFilter: event.nodeFilter,
    ServiceFilter: event.serviceFilter,
    TagFilter: event.tagFilter,
    Version: event.version,
    LTime: 0,
  })
}

/** Reads a gossiped event as a user event; undefined when it is none or of a version that we do not know. */
export function decodeUserEvent(
  name: string,
  payload: Uint8Array,
  lTime: number,
): UserEventRecord | undefined {
  if (!name.startsWith(PREFIX)) return undefined
  const decoded = decodeMsgpack(payload, 0, {rawBytesMax: RAW_BYTES_MAX, valuesMax: 64, depthMax: 3})
  if (decoded.kind !== 'value' || !(decoded.value instanceof Map)) return undefined
  const fields = decoded.value as MsgpackMap
  const text = (key: string): string => msgpackText(fields.get(key)) ?? ''
  const bytes = fields.get('Payload')
  if (fields.get('Version') !== VERSION) return undefined
  return {
    id: text('ID'),
    name: text('Name'),
    payload: bytes instanceof Uint8Array ? bytes.slice() : null,
    nodeFilter: text('NodeFilter'),
    serviceFilter: text('ServiceFilter'),
    tagFilter: text('TagFilter'),
    version: VERSION,
    lTime,
  }
}

/** The last user events that this agent has seen, oldest first. */
export class UserEventLog {
  private readonly events: UserEventRecord[] = []
  private watchers: (() => void)[] = []

  list(): readonly UserEventRecord[] {
    return this.events
  }

  add(event: UserEventRecord): void {
    this.events.push(event)
    if (this.events.length > KEPT) this.events.shift()
    const woken = this.watchers
    this.watchers = []
    for (const wake of woken) wake()
  }

  /** Calls back once at the next event, unless the returned function is called before. */
  watch(wake: () => void): () => void {
    this.watchers.push(wake)
    return () => {
      this.watchers = this.watchers.filter(other => other !== wake)
    }
  }
}
