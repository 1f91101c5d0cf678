/** An address as sockets give it, in the form in which members are known: IPv4 without the prefix of a dual socket. */
export function plainIp(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
}
