import type {ProductName} from '../model/observation.js'
import {atLeast, defaultRaftProtocol, speaksOnlyProtocol3} from './version.js'

/**
 * What a server makes of a peers.json. `live-list`: its living peer set, a list of strings, read at every start.
 * `list` and `objects`: a recovery file, taken once and deleted.
 */
export type ExpectedDialect = 'live-list' | 'list' | 'objects'

/** What decides the dialect. `raftProtocol` is the configured one; undefined means that none is configured. */
export interface DialectQuestion {
  readonly product: ProductName
  readonly version: string | undefined
  readonly raftProtocol: number | undefined
}

/**
 * The dialect a server reads (`setupRaft` in agent/consul/server.go and nomad/server.go): Consul up to 0.6 lives by
 * the list; from 0.7 the list is for recovery, from 0.8.2 objects for Raft protocol 3; Nomad reads a list from 0.5.5
 * and objects from 0.9.2; the others only ever read objects. Undefined when the version is unknown or the server
 * reads no such file.
 */
export function dialectFor(question: DialectQuestion): ExpectedDialect | undefined {
  const {product, version} = question
  if (product === 'vault' || product === 'rqlite') return 'objects'
  const bounds = product === 'consul' ? {list: '0.7.0', objects: '0.8.2'} : {list: '0.5.5', objects: '0.9.2'}
  const hasList = atLeast(version, bounds.list)
  if (hasList === undefined) return undefined
  if (!hasList) return product === 'consul' ? 'live-list' : undefined
  if (atLeast(version, bounds.objects) !== true) return 'list'
  if (speaksOnlyProtocol3(product, version) === true) return 'objects'
  const protocol = question.raftProtocol ?? defaultRaftProtocol(product, version) ?? 0
  return protocol >= 3 ? 'objects' : 'list'
}
