import {formatIp} from './address-bytes.js'

/** A socket of /proc/net that waits for others. */
export interface ProcSocket {
  readonly protocol: 'tcp' | 'udp'
  readonly address: string
  readonly port: number
  readonly inode: number
}

const SOCKETS_MAX = 10_000
const LINE =
  /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]{2}) \S+ \S+ \S+\s+\d+\s+\d+\s+(\d+)/
const LISTEN = '0A'
const UNCONNECTED = '07'

/**
 * The listening TCP or bound UDP sockets of /proc/net/tcp, tcp6, udp or udp6. Addresses stand there as 32-bit words in
 * the host's byte order; all hosts we meet are little-endian.
 */
export function parseProcNet(text: string, protocol: 'tcp' | 'udp'): readonly ProcSocket[] {
  const wanted = protocol === 'tcp' ? LISTEN : UNCONNECTED
  const sockets: ProcSocket[] = []
  for (const line of text.split('\n')) {
    const match = LINE.exec(line)
    if (match === null || match[4] !== wanted || sockets.length >= SOCKETS_MAX) continue
    sockets.push({
      protocol,
      address: formatIp(addressBytes(match[1] ?? '')),
      port: parseInt(match[2] ?? '', 16),
      inode: Number(match[5]),
    })
  }
  return sockets
}

function addressBytes(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    const inWord = i - (i % 4) + (3 - (i % 4))
    bytes[i] = parseInt(hex.slice(inWord * 2, inWord * 2 + 2), 16)
  }
  return bytes
}
