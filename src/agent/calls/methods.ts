import type {MsgpackInput} from '../../core/codec/msgpack.js'
import {PackReader} from '../../core/fsm/pack-reader.js'
import {eachPair} from '../../core/fsm/read-records.js'
import type {Encoded} from '../../core/wire/consul-rpc.js'
import type {Context} from '../http/context.js'
import {raftServers} from '../http/operator.js'
import {knownDatacenters} from '../http/status.js'
import type {RpcMethod, RpcMethods} from '../rpc/call-server.js'
import {CATALOG_QUERIES, deregisterCall, registerCall} from './catalog.js'
import {Coordinates} from './coordinates.js'
import {KV_QUERIES, applyKvCall} from './kv.js'
import {passedOn, queryMethod, toldInWords} from './query.js'
import {applyTxnCall, readTxnCall} from './txn.js'
import {SESSION_QUERIES, applySessionCall, renewSessionCall} from './session.js'

type LeaderCall = (context: Context, argument: Uint8Array) => Promise<MsgpackInput | Encoded>

/** Calls that only the leader does. */
const LEADER_CALLS: Readonly<Record<string, LeaderCall>> = {
  'KVS.Apply': applyKvCall,
  'Catalog.Register': async (context, argument) => (await registerCall(context, argument), {}),
  'Catalog.Deregister': async (context, argument) => (await deregisterCall(context, argument), {}),
  'Session.Apply': applySessionCall,
  'Session.Renew': async (context, argument) => renewSessionCall(context, argument),
  'Txn.Apply': applyTxnCall,
  'Txn.Read': readTxnCall,
  'Operator.RaftGetConfiguration': async ({backend}) => ({Index: 0, Servers: raftServers(backend)}),
}

/**
 * What Consul's servers ask of their leader on behalf of their clients, and Consul's clients of any server, by the
 * methods' names (consul agent/consul, files *_endpoint.go).
 */
export function callMethods(context: Context): RpcMethods {
  const methods = new Map<string, RpcMethod>()
  for (const [name, call] of Object.entries({...KV_QUERIES, ...CATALOG_QUERIES, ...SESSION_QUERIES}))
    methods.set(name, queryMethod(context, name, call))
  for (const [name, call] of Object.entries(LEADER_CALLS))
    methods.set(name, leaderMethod(context, name, call))
  const coordinates = new Coordinates(context)
  methods.set(
    'Coordinate.Update',
    leaderMethod(context, 'Coordinate.Update', async (_, argument) => (coordinates.update(argument), {})),
  )
  methods.set('Catalog.ListDatacenters', () => Promise.resolve(knownDatacenters(context.backend)))
  return methods
}

const leaderMethod =
  (context: Context, method: string, call: LeaderCall): RpcMethod =>
  (argument, caller) => {
    const answer = async (): Promise<MsgpackInput | Encoded> => {
      context.consistency.checkDatacenter(datacenterOf(argument))
      const passed = await passedOn(context, {method, argument, caller, repeatable: false})
      return passed ?? call(context, argument)
    }
    return toldInWords(answer())
  }

function datacenterOf(argument: Uint8Array): string {
  const reader = new PackReader(argument)
  let datacenter = ''
  eachPair(reader, key => {
    if (key === 'Datacenter') datacenter = reader.text()
    else reader.skip()
  })
  return datacenter
}
