import type {HttpAnswer} from '../backend.js'
import {jsonAnswer} from './answers.js'
import type {Context} from './context.js'
import type {ParsedRequest} from './request.js'

/** `GET /v1/status/leader`: the leader's address, empty when none is known; never waits. */
export async function statusLeader(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  context.consistency.checkDatacenter(parsed.query)
  const elsewhere = await context.consistency.anyServer(parsed.request)
  return elsewhere ?? jsonAnswer(context.backend.leader()?.address ?? '', parsed.query)
}

/** `GET /v1/status/peers`. */
export async function statusPeers(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  context.consistency.checkDatacenter(parsed.query)
  const elsewhere = await context.consistency.anyServer(parsed.request)
  return elsewhere ?? jsonAnswer(context.backend.peers(), parsed.query)
}

/** `GET /v1/catalog/datacenters`: this one, and those of servers in the WAN pool. */
export async function datacenters(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const elsewhere = await context.consistency.anyServer(parsed.request)
  if (elsewhere !== undefined) return elsewhere
  const own = context.backend.identity.datacenter
  const others = context.backend
    .members('wan')
    .map(member => member.tags['dc'] ?? own)
    .filter(datacenter => datacenter !== own)
  return jsonAnswer([own, ...[...new Set(others)].sort()], parsed.query)
}
