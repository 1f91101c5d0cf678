import {encodeMsgpack} from '../codec/msgpack.js'
import type {Configuration} from '../model/configuration.js'
import {entryConfiguration} from '../store/log-entry.js'
import {StoreFault} from '../store/requests.js'
import {LogType} from './messages.js'

const KINDS = {[LogType.addPeer]: 'add-peer', [LogType.removePeer]: 'remove-peer'} as const

/** Whether entries of this type set the configuration. */
export const setsConfiguration = (type: LogType): boolean =>
  type === LogType.configuration || type === LogType.addPeer || type === LogType.removePeer

/** The configuration that an entry sets; undefined when its data is none, which only a broken peer sends. */
export function readConfigurationEntry(type: LogType, data: Uint8Array): Configuration | undefined {
  try {
    const kind = type === LogType.addPeer || type === LogType.removePeer ? KINDS[type] : 'configuration'
    return entryConfiguration(kind, data)
  } catch (error) {
    if (error instanceof StoreFault) return undefined
    throw error
  }
}

/** The data of an add-peer or remove-peer entry: the addresses of the whole peer set (`encodePeers`, util.go). */
export const peersData = (configuration: Configuration): Uint8Array =>
  encodeMsgpack(configuration.servers.map(server => new TextEncoder().encode(server.address)))

/** The data of a configuration entry (`EncodeConfiguration`, hashicorp/raft configuration.go). */
export function configurationData(configuration: Configuration): Uint8Array {
  return encodeMsgpack({
    Servers: configuration.servers.map(server => ({
      Suffrage: server.suffrage === 'voter' ? 0 : 1,
      ID: server.id,
      Address: server.address,
    })),
  })
}
