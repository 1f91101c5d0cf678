import {formatIp, parseIp} from '../../core/codec/address-bytes.js'

/** An address as sockets give it, in the form in which members are known: IPv4 without the prefix of a dual socket. */
export function plainIp(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
}

/** The one way to write an address that others would decode ours to; what is no address stays as it is. */
export function canonicalIp(ip: string): string {
  const bytes = parseIp(ip)
  return bytes === undefined ? ip : formatIp(bytes)
}
