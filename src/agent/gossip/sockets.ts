import type {Socket as PacketSocket} from 'node:dgram'
import {createSocket} from 'node:dgram'
import type {AddressInfo, Server} from 'node:net'
import {isIPv6} from 'node:net'
import {once} from 'node:events'
import type {Endpoint} from '../../core/gossip/member.js'
import {AgentError} from '../agent-error.js'

/** Bursts of a large pool are kept until the loop gets to them (memberlist net_transport.go asks for as much). */
const RECEIVE_BUFFER_BYTES = 2 * 1024 * 1024
const FREE_PORT_TRIES = 20

/**
 * Binds packets and streams to one address and port; a port of 0 becomes one that is free for both. Throws AgentError
 * when the address is taken.
 */
export async function bindBoth(
  bind: Endpoint,
  makeServer: () => Server,
): Promise<{readonly packets: PacketSocket; readonly server: Server; readonly port: number}> {
  for (let tries = 1; ; tries++) {
    const server = makeServer()
    try {
      server.listen({host: bind.ip, port: bind.port, backlog: 128})
      await once(server, 'listening')
      const {port} = server.address() as AddressInfo
      return {packets: await bindPackets({ip: bind.ip, port}), server, port}
    } catch (error) {
      server.close()
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      if (!taken || bind.port !== 0 || tries >= FREE_PORT_TRIES)
        throw new AgentError(`gossip cannot listen at ${bind.ip}:${bind.port}: ${(error as Error).message}`)
    }
  }
}

async function bindPackets({ip, port}: Endpoint): Promise<PacketSocket> {
  const socket = createSocket({
    type: isIPv6(ip) ? 'udp6' : 'udp4',
    recvBufferSize: RECEIVE_BUFFER_BYTES,
  })
  try {
    socket.bind(port, ip)
    await once(socket, 'listening')
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}
