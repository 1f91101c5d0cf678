import {NO_QUERY, encodeCallQuery} from '../../core/fsm/call-query.js'
import {PackReader} from '../../core/fsm/pack-reader.js'
import type {AgentBackend, HttpAnswer} from '../backend.js'
import {jsonAnswer} from './answers.js'
import type {Context} from './context.js'
import type {ParsedRequest} from './request.js'

/** `GET /v1/status/leader`: the leader's address, empty when none is known; never waits. */
export async function statusLeader(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  context.consistency.checkDatacenter(parsed.query.get('dc'))
  const elsewhere = await context.consistency.anyServer(parsed.request)
  if (elsewhere !== undefined) return elsewhere
  const {backend} = context
  if (backend.identity.server) return jsonAnswer(backend.leader()?.address ?? '', parsed.query)
  return jsonAnswer((await statusThere(context, 'Status.Leader')).text(), parsed.query)
}

/** `GET /v1/status/peers`. */
export async function statusPeers(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  context.consistency.checkDatacenter(parsed.query.get('dc'))
  const elsewhere = await context.consistency.anyServer(parsed.request)
  if (elsewhere !== undefined) return elsewhere
  const {backend} = context
  if (backend.identity.server) return jsonAnswer(backend.peers(), parsed.query)
  return jsonAnswer((await statusThere(context, 'Status.Peers')).texts() ?? [], parsed.query)
}

async function statusThere({consistency}: Context, method: string): Promise<PackReader> {
  return new PackReader(await consistency.askThere(method, encodeCallQuery(NO_QUERY), {repeatable: true}))
}

/** `GET /v1/catalog/datacenters`: this one, and those of servers in the WAN pool. */
export async function datacenters(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const elsewhere = await context.consistency.anyServer(parsed.request)
  if (elsewhere !== undefined) return elsewhere
  return jsonAnswer(knownDatacenters(context.backend), parsed.query)
}

/** This datacenter, and those of servers in the WAN pool. */
export function knownDatacenters(backend: AgentBackend): readonly string[] {
  const own = backend.identity.datacenter
  const others = backend
    .members('wan')
    .map(member => member.tags['dc'] ?? own)
    .filter(datacenter => datacenter !== own)
  return [own, ...[...new Set(others)].sort()]
}
