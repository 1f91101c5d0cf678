import {parseHostPort} from '../codec/address.js'
import {isIpAddress} from '../codec/address.js'
import {LAMPORT_MAX} from './lamport.js'
import type {Endpoint} from './member.js'
import {isNodeName} from './member-table.js'
import type {RestoredSnapshot} from './step-context.js'

const MEMBERS_MAX = 30_000
const LINE_CHARACTERS_MAX = 4096

/**
 * What the lines of a snapshot file leave when they are played from first to last (`replay`, serf snapshot.go). After
 * a leave all is forgotten, unless one who left is to come back by itself. The last line counts only when it is
 * whole.
 */
export function replaySnapshot(bytes: Uint8Array, rejoinAfterLeave: boolean): RestoredSnapshot {
  const text = new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes)
  const members = new Map<string, Endpoint>()
  const clocks = {clock: 0, eventClock: 0, queryClock: 0}
  for (const line of wholeLines(text)) {
    if (line === 'leave') {
      if (rejoinAfterLeave) continue
      members.clear()
      Object.assign(clocks, {clock: 0, eventClock: 0, queryClock: 0})
      continue
    }
    const colon = line.indexOf(': ')
    const value = line.slice(colon + 2)
    switch (line.slice(0, colon)) {
      case 'alive':
        playAlive(members, value)
        break
      case 'not-alive':
        members.delete(value)
        break
      case 'clock':
        clocks.clock = lamport(value) ?? clocks.clock
        break
      case 'event-clock':
        clocks.eventClock = lamport(value) ?? clocks.eventClock
        break
      case 'query-clock':
        clocks.queryClock = lamport(value) ?? clocks.queryClock
        break
    }
  }
  return {...clocks, members: Array.from(members, ([name, {ip, port}]) => ({name, ip, port}))}
}

function* wholeLines(text: string): Generator<string> {
  for (let start = 0, end = text.indexOf('\n'); end !== -1; start = end + 1, end = text.indexOf('\n', start))
    if (end - start <= LINE_CHARACTERS_MAX) yield text.slice(start, end)
}

function playAlive(members: Map<string, Endpoint>, value: string): void {
  // A name may hold blanks, an address cannot
  const blank = value.lastIndexOf(' ')
  const name = value.slice(0, Math.max(0, blank))
  const address = parseHostPort(value.slice(blank + 1))
  if (!isNodeName(name) || address === undefined || !isIpAddress(address.host)) return
  if (members.size < MEMBERS_MAX || members.has(name))
    members.set(name, {ip: address.host, port: address.port})
}

function lamport(text: string): number | undefined {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN
  return value < LAMPORT_MAX ? value : undefined
}
