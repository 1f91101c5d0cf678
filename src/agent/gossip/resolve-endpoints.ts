import {lookup} from 'node:dns/promises'
import {isIpAddress, parseHostPort} from '../../core/codec/address.js'
import type {Endpoint} from '../../core/gossip/member.js'

/** Addresses of one name that are tried at most. */
const ADDRESSES_PER_NAME_MAX = 16

/** The numeric addresses behind `host`, `host:port` or `[v6]:port`, and what is wrong with those that have none. */
export async function resolveEndpoints(
  addresses: readonly string[],
  defaultPort: number,
): Promise<{readonly endpoints: readonly Endpoint[]; readonly problems: readonly string[]}> {
  const endpoints: Endpoint[] = []
  const problems: string[] = []
  for (const text of addresses) {
    const plain = /^\[([^\]]+)\]$/.exec(text)?.[1] ?? text
    const bare = isIpAddress(plain) ? {host: plain, port: defaultPort} : undefined
    const {host, port} = bare ?? parseHostPort(text) ?? {host: text, port: defaultPort}
    if (isIpAddress(host)) endpoints.push({ip: host, port})
    else {
      try {
        const found = await lookup(host, {all: true})
        endpoints.push(...found.slice(0, ADDRESSES_PER_NAME_MAX).map(({address}) => ({ip: address, port})))
      } catch (error) {
        problems.push(`${text}: ${(error as Error).message}`)
      }
    }
  }
  return {endpoints, problems}
}
