import type {ServerObservation} from '../../core/model/observation.js'
import type {Reading} from '../../core/model/reading.js'
import {printable} from '../../core/text.js'

const VALUE_MAX = 100
const LABEL_WIDTH = 18

type Show<T> = (value: T) => string

/**
 * How each fact about a server was come by, for `--explain`: one line with the fact, then one with where it comes
 * from; for what is not known, the reason in the words of whoever refused.
 */
export function explainObservation(server: ServerObservation): readonly string[] {
  const lines = [`${printable(server.host, 80)} at ${printable(server.address, 80)}`]
  const add = <T>(label: string, reading: Reading<T>, show: Show<T>): void => {
    lines.push(...explainReading(label, reading, show))
  }
  add('reached', server.reached, ({transport, user, root}) => `by ${transport} as ${user}, ${ROOT[root]}`)
  add('product', server.product, product => product)
  add('version', server.version, version => version)
  add('clock', server.clockOffsetMs, offset => `${offset >= 0 ? '+' : ''}${offset} ms against ours`)
  add('addresses', server.hostAddresses, list)
  add('processes', server.processes, processes =>
    processes.length === 0 ? 'none' : list(processes.map(one => `${one.pid} (${one.argv.join(' ')})`)),
  )
  add('service', server.service, ({manager, unit, state, enablement}) =>
    [unit, manager, state, enablement].filter(part => part !== undefined).join(', '),
  )
  add('configuration', server.config, ({sources}) => list(sources))
  add(
    'data directory',
    server.disk,
    ({dataDir, fileSystem, freeBytes}) => `${dataDir} on ${fileSystem}, ${freeBytes} B free`,
  )
  add('files', server.files, ({store}) =>
    store === undefined
      ? 'no log store'
      : `${store.path}, ${store.sizeBytes} B, mode ${store.mode.toString(8)}, uid ${store.uid}`,
  )
  add('node id', server.nodeId, id => id)
  add('peers.json', server.peersFile, ({dialect, servers}) => `${dialect}, ${servers.length} servers`)
  add('peers.info', server.peersInfo, there => (there ? 'there' : 'not there'))
  add('last alive', server.lastSeenUnix, seconds => `${seconds} s after 1970`)
  add('snapshots', server.snapshots, snapshots =>
    snapshots.length === 0 ? 'none' : list(snapshots.map(one => one.id)),
  )
  add(
    'gossip snapshot',
    server.serfSnapshot,
    ({members, left}) => `${members.length} members${left ? ', left' : ''}`,
  )
  add('gossip keys', server.keyring, ({fingerprints}) => list(fingerprints))
  add(
    'log store',
    server.store,
    ({firstIndex, lastIndex, lastTerm, currentTerm}) =>
      `entries ${firstIndex} to ${lastIndex}, last term ${lastTerm}, current term ${currentTerm}`,
  )
  add('store lock', server.storeLock, ({pid}) =>
    pid === undefined ? 'held by nobody' : `held by process ${pid}`,
  )
  add('sockets', server.sockets, sockets =>
    list(
      sockets.filter(one => one.pid !== undefined).map(one => `${one.protocol} ${one.address}:${one.port}`),
    ),
  )
  add('peers by API', server.api.statusPeers, list)
  add('leader by API', server.api.leader, leader => (leader === '' ? 'knows none' : leader))
  add('raft by API', server.api.self, ({raft}) =>
    raft === undefined ? 'no statistics' : `${raft.role}, term ${raft.term}, last index ${raft.lastLogIndex}`,
  )
  add('members by API', server.api.members, members => list(members.map(one => `${one.name} ${one.status}`)))
  add('peer set by API', server.api.raftConfiguration, ({servers}) => list(servers.map(one => one.address)))
  add('autopilot', server.api.autopilot, ({healthy, failureTolerance}) =>
    [
      healthy === undefined ? 'health not told' : healthy ? 'healthy' : 'unhealthy',
      failureTolerance === undefined ? undefined : `tolerates ${failureTolerance} failures`,
    ]
      .filter(part => part !== undefined)
      .join(', '),
  )
  add('contents', server.api.contents, ({keys, appliedIndex}) => `${keys} keys at index ${appliedIndex}`)
  add(
    'log',
    server.journal,
    ({lines: count, matches}) => `${count} lines, ${matches.length} known signatures`,
  )
  add('traces of quorate', server.traces, traces =>
    traces.length === 0 ? 'none' : list(traces.map(one => one.path)),
  )
  return lines
}

const ROOT = {root: 'who is root', sudo: 'root by sudo', none: 'without root'} as const

function explainReading<T>(label: string, reading: Reading<T>, show: Show<T>): readonly string[] {
  const {via, what} = reading.source
  const from = `${' '.repeat(LABEL_WIDTH + 4)}from ${via}: ${printable(what, VALUE_MAX)}`
  const head = `  ${label.padEnd(LABEL_WIDTH)}`
  if (reading.kind === 'read') return [`${head}  ${printable(show(reading.value), VALUE_MAX)}`, from]
  const detail = reading.detail === undefined ? '' : ` (${printable(reading.detail, VALUE_MAX)})`
  // Absence is knowledge; everything else is not.
  const word = reading.why === 'absent' ? 'not there' : `? ${reading.why}`
  return [`${head}  ${word}${detail}`, from]
}

function list(items: readonly string[]): string {
  return items.length === 0 ? 'none' : items.join(', ')
}
