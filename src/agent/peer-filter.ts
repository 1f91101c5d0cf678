import {readFileSync, statSync} from 'node:fs'

/** Which way traffic goes, as seen from this process. */
export type TrafficDirection = 'from' | 'to'

/**
 * Decides with whom this process talks. Asked at every send, receive, dial and accept: a connection that is open when
 * an address becomes refused is cut by whoever owns it, at its next use.
 */
export interface PeerFilter {
  /**
   * Whether traffic with `address` may pass: an IP address, or `ip:port`. Without a direction it must be allowed both
   * ways.
   */
  allows(address: string, direction?: TrafficDirection): boolean
  /** Ends the watching of the file; the last answer stands. */
  close(): void
}

/** The filter of a process that refuses nobody. */
export const allowEveryone: PeerFilter = {allows: () => true, close: () => undefined}

const POLL_MS = 100
const MAX_BYTES = 65_536

/**
 * A filter whose refused addresses stand in a file, one per line: `ADDRESS` refuses both ways, `from ADDRESS` what
 * comes in, `to ADDRESS` what goes out. A file that is missing refuses nobody. It is looked at ten times a second and
 * read again when it has changed. Only tests and local clusters have one, to make partitions that are real.
 */
export function watchPeerFilter(path: string | undefined): PeerFilter {
  return path === undefined ? allowEveryone : new FilePeerFilter(path)
}

class FilePeerFilter implements PeerFilter {
  readonly #path: string
  readonly #timer: NodeJS.Timeout
  #seen = ''
  #refused: Readonly<Record<TrafficDirection, ReadonlySet<string>>> = {from: new Set(), to: new Set()}

  constructor(path: string) {
    this.#path = path
    this.#look()
    this.#timer = setInterval(() => this.#look(), POLL_MS)
    this.#timer.unref()
  }

  allows(address: string, direction?: TrafficDirection): boolean {
    const {from, to} = this.#refused
    if (from.size === 0 && to.size === 0) return true
    const ip = plainAddress(address)
    if (direction !== 'to' && from.has(ip)) return false
    return direction === 'from' || !to.has(ip)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    try {
      // The inode too: a file that was replaced within the clock's grain has the old time
      const facts = statSync(this.#path, {throwIfNoEntry: false})
      const mark = facts === undefined ? '' : `${facts.mtimeMs} ${facts.ino} ${facts.size}`
      if (mark === this.#seen) return
      this.#refused = parseRefused(
        facts === undefined ? '' : readFileSync(this.#path, 'utf8').slice(0, MAX_BYTES),
      )
      this.#seen = mark
    } catch {
      // It went away between the two calls; the next look tells
    }
  }
}

function parseRefused(text: string): Readonly<Record<TrafficDirection, ReadonlySet<string>>> {
  const from = new Set<string>()
  const to = new Set<string>()
  for (const line of text.split('\n')) {
    const [, direction, address] = /^\s*(?:(from|to)\s+)?(\S+)\s*$/.exec(line) ?? []
    if (address === undefined) continue
    if (direction !== 'to') from.add(plainAddress(address))
    if (direction !== 'from') to.add(plainAddress(address))
  }
  return {from, to}
}

/** The IP alone: without a port, and IPv4 without the prefix by which a dual socket shows it. */
function plainAddress(address: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(address)?.[1]
  const bare = bracketed ?? address.replace(/^([^:]+):\d+$/, '$1')
  return bare.replace(/^::ffff:(?=\d+\.)/i, '').toLowerCase()
}
