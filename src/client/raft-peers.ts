import {QuorateError} from '../errors.js'
import type {AgentApi} from '../ports/agent-api.js'
import {apiPath, demand, fieldsOf, jsonOf, listOf, numberField, refusal, textField} from './api-answers.js'

/** A server of the Raft configuration as the leader tells it. */
export interface RaftPeer {
  readonly node: string
  readonly id: string
  readonly address: string
  readonly leader: boolean
  readonly voter: boolean
  readonly protocolVersion: string
}

/** The Raft configuration and the index of the entry that set it. */
export interface RaftPeers {
  readonly index: number
  readonly servers: readonly RaftPeer[]
}

/** Reads the configuration; with `stale` from any server, its own view where there is no leader. */
export async function raftPeers(
  api: AgentApi,
  {stale, datacenter: dc}: {readonly stale: boolean; readonly datacenter: string | undefined},
): Promise<RaftPeers> {
  const path = apiPath('/v1/operator/raft/configuration', {stale, dc})
  const answer = await demand(api, {method: 'GET', path}, 'tell the Raft configuration')
  const fields = fieldsOf(jsonOf(api, answer))
  return {
    index: numberField(fields, 'Index'),
    servers: listOf(fields['Servers']).map(server => ({
      node: textField(server, 'Node'),
      id: textField(server, 'ID'),
      address: textField(server, 'Address'),
      leader: server['Leader'] === true,
      voter: server['Voter'] === true,
      protocolVersion: textField(server, 'ProtocolVersion'),
    })),
  }
}

/** Has the leader remove a server from the configuration, by id or by address. */
export async function removePeer(
  api: AgentApi,
  peer: {readonly id: string} | {readonly address: string},
  datacenter: string | undefined,
): Promise<void> {
  const path = apiPath('/v1/operator/raft/peer', {...peer, dc: datacenter})
  await demand(api, {method: 'DELETE', path}, `remove ${'id' in peer ? peer.id : peer.address}`)
}

/** Has the leader hand over to another voter, of its own choice unless `id` names one. */
export async function transferLeadership(
  api: AgentApi,
  id: string | undefined,
  datacenter: string | undefined,
): Promise<void> {
  const path = apiPath('/v1/operator/raft/transfer-leader', {id, dc: datacenter})
  const answer = await api.ask({method: 'POST', path})
  if (answer.status === 404)
    throw new QuorateError(
      'API_REFUSED',
      'The agent is of a version that cannot hand leadership over on request.',
    )
  if (answer.status !== 200) throw refusal(answer, 'hand leadership over')
  if (fieldsOf(jsonOf(api, answer))['Success'] !== true)
    throw new QuorateError('API_REFUSED', 'The leader did not hand over.')
}
