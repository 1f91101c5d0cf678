import type {Finding} from '../../model/finding.js'
import type {DataDisk} from '../../model/observation.js'
import {valueOf} from '../../model/reading.js'
import {onHost, startCommands} from '../commands.js'
import type {ClusterFacts} from '../facts.js'
import {
  evidenceOf,
  journalMatches,
  listWords,
  makeFinding,
  matchEvidence,
  readingEvidence,
  remedy,
} from '../findings.js'
import type {ServerFacts} from '../server-facts.js'
import {allowed} from './peers-file.js'

const MEBIBYTE = 2 ** 20
/** Below this a server is about to stop: the store grows in steps of 16 MiB. */
const FREE_MIN_BYTES = 32 * MEBIBYTE
const isPermission = (text: string): boolean => /permission denied/i.test(text)

const rebuild = (server: ServerFacts) =>
  remedy(
    'nothing',
    `Rebuild ${server.host} from the other servers once they have a leader.`,
    'Keep a copy of its data directory, then let it join blank. It must not be one of a recovery.',
  )

/** STORE_CORRUPT: the log store is damaged. */
export function storeCorrupt(facts: ClusterFacts): readonly Finding[] {
  const told = journalMatches(facts, ['store-bad']).filter(found => !isPermission(found.match.text))
  return facts.servers.flatMap(server => {
    const {store} = server.server
    const corrupt = store.kind === 'unread' && store.why === 'corrupt'
    const damage = valueOf(store)?.damage ?? []
    const lines = told.filter(found => found.server === server)
    if (!corrupt && damage.length === 0 && lines.length === 0) return []
    const refused = corrupt || lines.length > 0
    return [
      makeFinding({
        code: 'STORE_CORRUPT',
        severity: refused ? 'error' : 'warning',
        on: server,
        summary: refused
          ? `The log store of ${server.host} is damaged.`
          : `The log store of ${server.host} has a flaw: ${damage[0] ?? ''}`,
        explanation: refused
          ? 'The server does not start with it, or starts on a part of it. A recovery cannot count on this server.'
          : 'It can be read. Consul up to 0.6 refuses such a store, later versions start on the page that is intact, perhaps one transaction back.',
        evidence: [
          ...(corrupt ? [readingEvidence(store)] : damage.map(text => evidenceOf(store.source, text))),
          ...lines.map(matchEvidence),
        ],
        remedies: [rebuild(server)],
        causes: ['SERVICE_FAILED', 'RESTART_LOOP'],
      }),
    ]
  })
}

/** STORE_PERMISSIONS: the service's user cannot open the store. */
export function storePermissions(facts: ClusterFacts): readonly Finding[] {
  const told = journalMatches(facts, ['store-bad'], {current: true}).filter(found =>
    isPermission(found.match.text),
  )
  return facts.servers.flatMap(server => {
    const files = valueOf(server.server.files)
    const user = files?.serviceUser
    const store = files?.store
    const closed =
      store !== undefined &&
      user !== undefined &&
      user.uid !== 0 &&
      !(allowed(store, user, 4) && allowed(store, user, 2))
    const lines = told.filter(found => found.server === server)
    if (!closed && lines.length === 0) return []
    const commands = closed ? [onHost(server.server, 'chown', `${user.uid}:${user.gid}`, store.path)] : []
    return [
      makeFinding({
        code: 'STORE_PERMISSIONS',
        severity: 'error',
        on: server,
        summary: closed
          ? `${user.name} cannot open ${store.path} on ${server.host}.`
          : `${server.host} could not open its log store.`,
        explanation: 'The server does not start. Often a tool or a start by hand ran as root.',
        evidence: [
          ...(closed
            ? [
                evidenceOf(
                  server.server.files.source,
                  `mode ${(store.mode & 0o7777).toString(8)}, uid ${store.uid}, gid ${store.gid}`,
                ),
              ]
            : []),
          ...lines.map(matchEvidence),
        ],
        remedies: [
          remedy(
            'nothing',
            'Give the store back to the service’s user and start the server.',
            'Changes no Raft state.',
            [...commands, ...startCommands(server.server)],
          ),
        ],
        causes: ['SERVICE_FAILED', 'RESTART_LOOP'],
      }),
    ]
  })
}

/** SNAPSHOT_CORRUPT: a snapshot cannot be restored. */
export function snapshotCorrupt(facts: ClusterFacts): readonly Finding[] {
  const told = [
    ...journalMatches(facts, ['snapshot-bad']),
    ...journalMatches(facts, ['recovery-failed']).filter(found =>
      /available snapshots/.test(found.match.text),
    ),
  ]
  return facts.servers.flatMap(server => {
    const bad = (valueOf(server.server.snapshots) ?? []).filter(
      one => !one.temporary && valueOf(one.intact) === false,
    )
    const unreadable = server.server.snapshots.kind === 'unread' && server.server.snapshots.why === 'corrupt'
    const lines = told.filter(found => found.server === server)
    if (bad.length === 0 && !unreadable && lines.length === 0) return []
    return [
      makeFinding({
        code: 'SNAPSHOT_CORRUPT',
        severity: 'error',
        on: server,
        summary:
          bad.length > 0
            ? `Snapshot ${listWords(bad.map(one => one.id))} on ${server.host} does not match its checksum.`
            : `${server.host} has a snapshot that cannot be read.`,
        explanation:
          'The server takes an older snapshot without a word, and what lies between is missing. Do not choose it for a recovery.',
        evidence: [
          ...bad.map(one => evidenceOf(server.server.snapshots.source, `${one.id}: checksum differs`)),
          ...(unreadable ? [readingEvidence(server.server.snapshots)] : []),
          ...lines.map(matchEvidence),
        ],
        remedies: [rebuild(server)],
        causes: ['LOG_GAP'],
      }),
    ]
  })
}

/** UNSUPPORTED_STORE: a log store that quorate does not read. */
export function unsupportedStore(facts: ClusterFacts): readonly Finding[] {
  return facts.servers.flatMap(server => {
    const {store} = server.server
    if (store.kind === 'read' || store.why !== 'unsupported') return []
    return [
      makeFinding({
        code: 'UNSUPPORTED_STORE',
        severity: 'error',
        on: server,
        summary: `The log store of ${server.host} is of a kind that quorate does not read.`,
        explanation: 'Consul up to 0.5.0 keeps its log in LMDB. What this server holds is not known.',
        evidence: [readingEvidence(store)],
      }),
    ]
  })
}

const networkTypes = /^(nfs\d?|cifs|smb\w*|9p|afs|ceph|glusterfs|lustre|gfs2|ocfs2|fuse\..*|fuseblk)$/i
const volatileTypes = /^(tmpfs|ramfs|overlay|aufs)$/i

/** NETWORK_FILE_SYSTEM: the data lies where locks or writes may fail, or where a reboot takes it. */
export function networkFileSystem(facts: ClusterFacts): readonly Finding[] {
  const known = facts.servers.flatMap(server => {
    const type = valueOf(server.server.disk)?.fileSystem
    return type !== undefined && (networkTypes.test(type) || volatileTypes.test(type)) ? [{server, type}] : []
  })
  return [...new Set(known.map(one => one.type))].map(type => {
    const servers = known.filter(one => one.type === type).map(one => one.server)
    return makeFinding({
      code: 'NETWORK_FILE_SYSTEM',
      severity: 'warning',
      summary: `The data of ${listWords(servers.map(server => server.host))} lies on ${type}.`,
      explanation: networkTypes.test(type)
        ? 'Locks and durable writes are not to be trusted over a network; stores have been damaged by it.'
        : 'What is written there is gone after a reboot or with its container.',
      evidence: servers.map(server =>
        readingEvidence(server.server.disk, disk => `${disk.dataDir} on ${disk.fileSystem}`),
      ),
    })
  })
}

function diskWords(disk: DataDisk | undefined, now: boolean): string {
  if (disk === undefined || !now) return 'was full or read-only'
  if (disk.readOnly) return 'is mounted read-only'
  if (disk.freeInodes === 0) return 'has no inode left'
  return `has ${Math.floor(disk.freeBytes / MEBIBYTE)} MiB left`
}

/** DISK_FULL: no room for the log, or soon none. */
export function diskFull(facts: ClusterFacts): readonly Finding[] {
  const told = journalMatches(facts, ['disk-full', 'read-only'], {current: true})
  return facts.servers.flatMap(server => {
    const disk = valueOf(server.server.disk)
    const full =
      disk !== undefined && (disk.readOnly || disk.freeBytes < FREE_MIN_BYTES || disk.freeInodes === 0)
    const tight = disk?.raftBytes !== undefined && disk.freeBytes < 2 * disk.raftBytes
    // What the journal says is history once the server runs and there is room.
    const lines = told.filter(found => found.server === server && (full || server.running !== 'yes'))
    if (!full && !tight && lines.length === 0) return []
    const grave = full || lines.length > 0
    const what = diskWords(disk, full || tight)
    return [
      makeFinding({
        code: 'DISK_FULL',
        severity: grave ? 'error' : 'warning',
        on: server,
        summary: `The disk of ${server.host} ${what}.`,
        explanation: grave
          ? server.running === 'no'
            ? 'The server cannot write its log there; this is likely why it stopped.'
            : 'The server stops as soon as it has to write.'
          : 'There is not enough room for a copy of the Raft directory and a new snapshot.',
        evidence: [
          readingEvidence(
            server.server.disk,
            one => `${one.dataDir}: ${one.freeBytes} of ${one.sizeBytes} bytes free, ${one.fileSystem}`,
          ),
          ...lines.map(matchEvidence),
        ],
        remedies: grave
          ? [
              remedy(
                'nothing',
                `Free space on ${server.host}${server.running === 'no' ? ' and start it' : ''}.`,
                'Changes no Raft state. Nothing can be lost.',
                [
                  onHost(server.server, 'du', '-xhd1', disk?.dataDir ?? '/'),
                  ...(server.running === 'no' ? startCommands(server.server) : []),
                ],
              ),
            ]
          : [],
        causes: grave ? ['SERVICE_FAILED', 'RESTART_LOOP', 'TRANSIENT_LOSS', 'QUORUM_LOST'] : [],
      }),
    ]
  })
}

const tidyPath = (path: string): string => path.replace(/\/+/g, '/').replace(/(.)\/$/, '$1')

/** OTHER_DATA_DIR: the process runs on another data directory than the one that was read. */
export function otherDataDir(facts: ClusterFacts): readonly Finding[] {
  return facts.servers.flatMap(server => {
    const read = valueOf(server.server.disk)?.dataDir
    const used = [
      ...new Set(
        (valueOf(server.server.processes) ?? []).flatMap(one =>
          one.dataDir === undefined ? [] : [tidyPath(one.dataDir)],
        ),
      ),
    ]
    if (read === undefined || used.length === 0 || used.includes(tidyPath(read))) return []
    return [
      makeFinding({
        code: 'OTHER_DATA_DIR',
        severity: 'error',
        on: server,
        summary: `${server.host} runs on ${listWords(used)}, but ${read} was read.`,
        explanation:
          'What the files say is not what the server holds. Name the right directory before anything is planned.',
        evidence: [
          readingEvidence(server.server.processes, list =>
            list.map(one => `${one.pid}: ${one.dataDir ?? '?'}`).join(', '),
          ),
          readingEvidence(server.server.disk, disk => disk.dataDir),
        ],
      }),
    ]
  })
}
