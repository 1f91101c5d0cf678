import type {ListeningSocket, ServerObservation} from '../model/observation.js'
import type {Reading} from '../model/reading.js'
import {read, unread} from '../model/reading.js'
import {parseLockHolder} from './proc-locks.js'
import {parseProcNet} from './proc-net.js'
import type {StatLine} from './probe-host.js'
import type {ProbedProcess} from './probe-process.js'
import type {ProbeSections} from './probe-sections.js'

/** Everything that listens on the host; sockets of the product's processes carry their pid. */
export function readSockets(
  probe: ProbeSections,
  processes: readonly ProbedProcess[],
): Reading<readonly ListeningSocket[]> {
  const source = probe.source('host', '/proc/net')
  const section = probe.find('sockets')
  if (section === undefined || section.status === 'cut')
    return unread('failed', source, 'The host did not list its sockets.')
  const lines = {tcp: '', udp: ''}
  for (const line of probe.text('sockets').split('\n')) {
    const match = /^\/proc\/net\/(tcp|udp)6?:(.*)$/.exec(line)
    if (match?.[1] === 'tcp' || match?.[1] === 'udp') lines[match[1]] += `${match[2] ?? ''}\n`
  }
  const sockets = [...parseProcNet(lines.tcp, 'tcp'), ...parseProcNet(lines.udp, 'udp')]
  return read(
    sockets.map(({protocol, address, port, inode}) => ({
      protocol,
      address,
      port,
      pid: processes.find(process => process.sockets.has(inode))?.pid,
    })),
    source,
  )
}

/** Who holds the lock that a server keeps on its store for as long as it runs. */
export function readLock(
  probe: ProbeSections,
  stats: readonly StatLine[],
  raftDir: string | undefined,
): ServerObservation['storeLock'] {
  const source = probe.source('file', '/proc/locks')
  const locks = probe.find('locks')
  if (raftDir === undefined) return unread('not-asked', source, 'No data directory was found on this host.')
  if (locks === undefined || locks.status !== 0)
    return unread('failed', source, '/proc/locks could not be read.')
  const file =
    stats.find(line => line.path === `${raftDir}/raft.db`) ??
    stats.find(line => line.path === `${raftDir}/wal/wal-meta.db`)
  if (file === undefined) {
    return probe.text('searchable').endsWith('denied')
      ? unread('denied', source, 'The raft directory may not be searched.')
      : read({pid: undefined}, source)
  }
  const holder = parseLockHolder(probe.text('locks'), {inode: file.inode, device: deviceOf(file.device)})
  if (holder.kind === 'free') return read({pid: undefined}, source)
  return holder.pid === undefined
    ? unread('denied', source, 'The store is locked by a process that is hidden from us.')
    : read({pid: holder.pid}, source)
}

/** Major and minor number as the C library packs them into one (`gnu_dev_major`, `gnu_dev_minor`). */
function deviceOf(device: number | undefined): {major: number; minor: number} | undefined {
  if (device === undefined) return undefined
  const low = device % 2 ** 32
  const high = Math.floor(device / 2 ** 32)
  return {
    major: ((low >>> 8) & 0xfff) + (high & ~0xfff),
    minor: (low & 0xff) + ((low >>> 12) & 0xfff00),
  }
}
