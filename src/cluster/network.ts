import {createHash} from 'node:crypto'
import net from 'node:net'
import {QuorateError} from '../errors.js'

/** Ports that an agent listens at over TCP; the same on every member, since each has an address of its own. */
const PORTS = [8300, 8301, 8302, 8500]
const ATTEMPTS = 50

/**
 * A free network 127.A.B.0/24: derived from the cluster's directory, so that it tends to stay the same, and moved on
 * where somebody listens. Throws NO_LOOPBACK where the system has only 127.0.0.1.
 */
export async function chooseNetwork(
  directory: string,
  members: number,
  taken: ReadonlySet<string>,
): Promise<string> {
  const digest = createHash('sha256').update(directory).digest()
  let seed = digest.readUInt32BE(0)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    // 127.0 and 127.1 are where people put things by hand; 127.255 is near a broadcast address
    const network = `127.${10 + (seed % 240)}.${(seed >>> 8) % 250}`
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    if (!taken.has(network) && (await isFree(network, members))) return network
  }
  throw new QuorateError(
    'NO_LOOPBACK',
    `No free network was found in 127.0.0.0/8 after ${ATTEMPTS} attempts.`,
  )
}

/** The address of a cluster's member by its number from 1. */
export function addressOf(network: string, number: number): string {
  return `${network}.${number}`
}

async function isFree(network: string, members: number): Promise<boolean> {
  for (let number = 1; number <= members; number++) {
    for (const port of PORTS) if (!(await canListen(addressOf(network, number), port))) return false
  }
  return true
}

async function canListen(host: string, port: number): Promise<boolean> {
  const server = net.createServer()
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') return resolve(false)
      reject(
        error.code === 'EADDRNOTAVAIL'
          ? new QuorateError(
              'NO_LOOPBACK',
              `Every server needs a loopback address of its own, and this system has no ${host}.`,
              {hints: [`sudo ifconfig lo0 alias ${host}   on macOS, for each address`]},
            )
          : error,
      )
    })
    server.listen({host, port, exclusive: true}, () => server.close(() => resolve(true)))
  })
}
