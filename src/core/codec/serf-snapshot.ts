import type {SerfSnapshot} from '../model/observation.js'

/** More members than this are not kept. */
const MEMBERS_MAX = 10_000
const LINE_MAX = 4096

/**
 * Reads a gossip snapshot (`serf/local.snapshot`; serf/snapshot.go): one event per line, the later wins, and only lines
 * that end in a newline count. After a graceful leave serf forgets all members unless it is told to rejoin; here
 * they are kept as they were known then, because they are the best trace of who was there, and `left` tells of it.
 */
export function parseSerfSnapshot(bytes: Uint8Array): SerfSnapshot {
  const text = new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes)
  const members = new Map<string, string>()
  let left = false
  let clock = 0
  for (
    let start = 0, end = text.indexOf('\n');
    end !== -1;
    start = end + 1, end = text.indexOf('\n', start)
  ) {
    if (end - start > LINE_MAX) continue
    const line = text.slice(start, end)
    if (line === 'leave') {
      left = true
      clock = 0
    } else if (line.startsWith('alive: ')) {
      const rest = line.slice('alive: '.length)
      // A name may hold spaces, an address cannot.
      const split = rest.lastIndexOf(' ')
      if (split === -1) continue
      if (left) members.clear()
      left = false
      const name = rest.slice(0, split)
      if (members.size < MEMBERS_MAX || members.has(name)) members.set(name, rest.slice(split + 1))
    } else if (line.startsWith('not-alive: ')) {
      members.delete(line.slice('not-alive: '.length))
    } else if (line.startsWith('clock: ')) {
      const value = line.slice('clock: '.length)
      if (/^\d{1,20}$/.test(value)) clock = Number(value)
    }
  }
  return {members: Array.from(members, ([name, address]) => ({name, address})), left, clock}
}
