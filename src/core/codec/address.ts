/** `host:port` apart; IPv6 hosts without their brackets. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/** Reads `host:port` as Go's `net.SplitHostPort` does, with a port that is a number; undefined for anything else. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([^[\]]{1,255})\]|([^:[\]]{1,255})):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const port = Number(match[3])
  const host = match[1] ?? match[2] ?? ''
  return port > 65535 || /\s/.test(host) ? undefined : {host, port}
}

/** `host:port`, with brackets where the host is IPv6. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Whether a text is a numeric IPv4 address. */
export function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every(part => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

/** Whether a text is a numeric IPv6 address; a zone (`%eth0`) is allowed. */
export function isIpv6(text: string): boolean {
  const [address = '', zone] = splitZone(text)
  if (zone === '' || address.length > 45 || !/^[0-9A-Fa-f:.]+$/.test(address)) return false
  const halves = address.split('::')
  if (halves.length > 2) return false
  const groups = halves.flatMap(half => (half === '' ? [] : half.split(':')))
  const last = groups[groups.length - 1]
  const v4 = last?.includes('.') === true
  if (v4 && !isIpv4(last)) return false
  const hex = v4 ? groups.slice(0, -1) : groups
  if (!hex.every(group => /^[0-9A-Fa-f]{1,4}$/.test(group))) return false
  const count = hex.length + (v4 ? 2 : 0)
  return halves.length === 2 ? count <= 7 : count === 8
}

/** Whether a text is a numeric address of either kind. */
export function isIpAddress(text: string): boolean {
  return isIpv4(text) || isIpv6(text)
}

function splitZone(text: string): readonly [string, string?] {
  const at = text.indexOf('%')
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}
