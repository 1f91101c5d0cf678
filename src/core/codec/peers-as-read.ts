import {checkConfiguration} from '../model/configuration.js'
import type {Configuration, Server} from '../model/configuration.js'
import {serverAddress, serverId} from '../model/ids.js'
import type {JsonNode} from './json-scan.js'
import {sameKey, scanJson} from './json-scan.js'

/**
 * peers.json as the server itself reads it at its start, to the word of its refusals: Go's decoder into `[]string` or
 * `[]raft.configEntry`, then the check of a configuration (hashicorp/raft peersjson.go, configuration.go).
 */
export type PeersAsRead =
  {readonly ok: true; readonly configuration: Configuration} | {readonly ok: false; readonly reason: string}

const GO_KINDS = {bool: 'bool', number: 'number', string: 'string', array: 'array', object: 'object'} as const

class Refusal {
  constructor(readonly reason: string) {}
}

const cannot = (node: JsonNode, type: string): Refusal =>
  new Refusal(`json: cannot unmarshal ${node.kind === 'null' ? 'null' : GO_KINDS[node.kind]} into Go ${type}`)

/** The addresses of a list of strings, unchecked: what Consul up to 0.6 lives by. Nothing and `null` are an empty list. */
export function livePeers(text: string): PeersAsRead {
  if (text === '') return {ok: true, configuration: {servers: []}}
  return decoded(text, 'list')
}

/** The configuration that a recovery file asks for, checked. */
export function recoveryPeers(text: string, dialect: 'list' | 'objects'): PeersAsRead {
  const read = decoded(text, dialect)
  if (!read.ok) return read
  const reason = refusal(read.configuration)
  return reason === undefined ? read : {ok: false, reason}
}

function decoded(text: string, dialect: 'list' | 'objects'): PeersAsRead {
  const scan = scanJson(text)
  if (!scan.ok) return {ok: false, reason: scan.message}
  try {
    const servers = items(scan.node, dialect).map(node => (dialect === 'list' ? listed(node) : object(node)))
    return {ok: true, configuration: {servers}}
  } catch (error) {
    if (error instanceof Refusal) return {ok: false, reason: error.reason}
    throw error
  }
}

function items(node: JsonNode, dialect: 'list' | 'objects'): readonly JsonNode[] {
  if (node.kind === 'null') return []
  if (node.kind === 'array') return node.items
  throw cannot(node, `value of type ${dialect === 'list' ? '[]string' : '[]raft.configEntry'}`)
}

function listed(node: JsonNode): Server {
  const text = node.kind === 'null' ? '' : node.kind === 'string' ? node.value : undefined
  if (text === undefined) throw cannot(node, 'value of type string')
  return {id: serverId(text), address: serverAddress(text), suffrage: 'voter'}
}

function object(node: JsonNode): Server {
  if (node.kind !== 'null' && node.kind !== 'object') throw cannot(node, 'value of type raft.configEntry')
  let [id, address, nonVoter] = ['', '', false]
  for (const {key, value} of node.kind === 'object' ? node.members : []) {
    if (value.kind === 'null') continue
    if (sameKey(key, 'non_voter')) {
      if (value.kind !== 'bool') throw cannot(value, 'struct field configEntry.non_voter of type bool')
      nonVoter = value.value
    } else if (sameKey(key, 'id') || sameKey(key, 'address')) {
      const name = sameKey(key, 'id') ? 'id' : 'address'
      if (value.kind !== 'string') throw cannot(value, `struct field configEntry.${name} of type string`)
      if (name === 'id') id = value.value
      else address = value.value
    }
  }
  return {id: serverId(id), address: serverAddress(address), suffrage: nonVoter ? 'nonvoter' : 'voter'}
}

const goServer = ({id, address, suffrage}: Server): string =>
  `{${suffrage === 'voter' ? 'Voter' : 'Nonvoter'} ${id} ${address}}`

function refusal(configuration: Configuration): string | undefined {
  const [problem] = checkConfiguration(configuration)
  const whole = `{[${configuration.servers.map(goServer).join(' ')}]}`
  switch (problem?.kind) {
    case undefined:
      return undefined
    case 'empty-id':
      return `empty ID in configuration: ${whole}`
    case 'empty-address':
      return `empty address in configuration: ${goServer(problem.server)}`
    case 'duplicate-id':
      return `found duplicate ID in configuration: ${problem.id}`
    case 'duplicate-address':
      return `found duplicate address in configuration: ${problem.address}`
    case 'no-voter':
      return `need at least one voter in configuration: ${whole}`
  }
}
