import type {InventoryCluster} from '../core/model/inventory.js'
import {clusterDirectory, memberFiles, readState} from './state.js'

/**
 * A local cluster as an inventory has it: every server is a host of its own, told apart by data directory, address and
 * pid file. Undefined where there is no cluster of this name.
 */
export async function localClusterInventory(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
): Promise<InventoryCluster | undefined> {
  const directory = clusterDirectory(env, name)
  const state = await readState(directory)
  if (state === undefined) return undefined
  const servers = state.members.filter(member => member.kind !== 'client')
  return {
    name,
    product: 'consul',
    hosts: servers.map(member => {
      const files = memberFiles(directory, member.name)
      return {
        name: member.name,
        settings: {
          transport: 'local',
          address: member.address,
          dataDir: files.data,
          logFile: files.log,
          http: `${member.address}:8500`,
          service: {manager: 'cluster', unit: `${name}/${member.name}`},
          ownDirectory: files.directory,
        },
      }
    }),
  }
}
