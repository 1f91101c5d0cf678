import {makeConnector} from '../../src/adapters/transport/connector.js'
import type {HostConnection} from '../../src/ports/transport.js'

/** A connection to this machine as whoever runs the tests. */
export async function connectHere(): Promise<HostConnection> {
  const result = await makeConnector({ask: undefined, env: {}, sshConfigFiles: []}).connect({
    host: 'here',
    address: 'localhost',
    port: undefined,
    transport: 'local',
    user: undefined,
    identityFiles: [],
    jump: [],
    knownHostsFiles: [],
    sudo: false,
    sudoPassword: undefined,
    connectTimeoutMs: 5000,
  })
  if (result.kind !== 'connected') throw new Error(result.reason.detail)
  return result.connection
}
