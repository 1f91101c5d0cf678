import {isIpv4, isIpv6} from './address.js'

/** An IP address from its 4 or 16 bytes in network order, in the usual short form; IPv4 within IPv6 as IPv4. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) return ''
  if (bytes.subarray(0, 10).every(byte => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff)
    return bytes.subarray(12).join('.')
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16))
  let best = {start: -1, length: 1}
  for (let i = 0; i < groups.length; i++) {
    let length = 0
    while (groups[i + length] === '0') length++
    if (length > best.length) best = {start: i, length}
  }
  if (best.start === -1) return groups.join(':')
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`
}

/** The 4 or 16 bytes of a numeric IP address in network order; undefined for other text and for one with a zone. */
export function parseIp(text: string): Uint8Array | undefined {
  if (isIpv4(text)) return Uint8Array.from(text.split('.'), Number)
  if (!isIpv6(text) || text.includes('%')) return undefined
  const [head = '', tail] = text.split('::')
  const left = groupsOf(head)
  const right = tail === undefined ? [] : groupsOf(tail)
  const zeros = new Array<number>(tail === undefined ? 0 : 8 - left.length - right.length).fill(0)
  return Uint8Array.from([...left, ...zeros, ...right].flatMap(group => [group >> 8, group & 0xff]))
}

/** The 16-bit groups of a part of an IPv6 address; an IPv4 address at its end makes two. */
function groupsOf(part: string): readonly number[] {
  if (part === '') return []
  return part.split(':').flatMap(group => {
    if (!group.includes('.')) return [parseInt(group, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [a * 256 + b, c * 256 + d]
  })
}
