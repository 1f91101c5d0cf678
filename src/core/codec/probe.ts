import type {FileFacts, PeersFile, ProductName, RaftFiles, ServerObservation} from '../model/observation.js'
import type {Reading, Unread} from '../model/reading.js'
import {mapReading, read, unread, valueOf} from '../model/reading.js'
import {keyFingerprint, parseKeyring} from './keyring.js'
import {matchLog} from './log-match.js'
import {parseNodeId} from './node-id.js'
import {parsed, problemAt} from './parse-problem.js'
import {parsePeersJson} from './peers-json.js'
import {readConfig} from './probe-config.js'
import {text} from './probe-frames.js'
import type {ProbeSection} from './probe-frames.js'
import {parseDate, parseDisk, parseFibTrie, parseIpAddresses, parseLs, parseStat} from './probe-host.js'
import type {StatLine} from './probe-host.js'
import {readLock, readSockets} from './probe-kernel.js'
import {readAccounts, readProcesses, splitArguments} from './probe-process.js'
import type {Account, ProbedProcess} from './probe-process.js'
import {ProbeSections} from './probe-sections.js'
import {readService, unitText} from './probe-service.js'
import {snapshotsOf} from './probe-snapshots.js'
import {readTraces} from './probe-traces.js'
import {parseVersionOutput} from './probe-version.js'
import {parseSerfSnapshot} from './serf-snapshot.js'
import {parseServerMetadata} from './server-metadata.js'

/** The facts of a server that the probe brings; the store and the API are asked by themselves. */
export type ProbedFacts = Omit<ServerObservation, 'host' | 'address' | 'reached' | 'store' | 'api'>

/** What the reader of a probe must be told. */
export interface ProbeContext {
  readonly host: string
  readonly product: ProductName
  /** Our clock when the probe was sent and when its answer was whole. */
  readonly sentAtMs: number
  readonly receivedAtMs: number
  /** SHA-256 in lower-case hexadecimal. */
  readonly sha256: (bytes: Uint8Array) => string
  /** Set where the host is one of several servers of its machine: the address is its own, and only that. */
  readonly only?: {readonly address: string}
}

/** The facts, and where to look further. */
export interface ProbeResult {
  readonly facts: ProbedFacts
  /** The data directory that was looked at; undefined when none was found. */
  readonly dataDir: string | undefined
  readonly raftDir: string | undefined
  /** The data directory that the merged configuration names, where that is another one. */
  readonly configuredDataDir: string | undefined
  /** The time that a question takes to the host and back, in milliseconds. */
  readonly roundTripMs: number
}

const SERF_TAIL_BYTES = 131072 // what the probe takes of a gossip snapshot
const PEERS_BYTES = 65536
const NO_DATA_DIR = 'No data directory was found on this host.'

/** Reads the sections of a probe. Total: what is missing or malformed is unread with its reason. */
export function readProbe(sections: readonly ProbeSection[], context: ProbeContext): ProbeResult {
  const probe = new ProbeSections(context.host, sections)
  const begin = parseDate(probe.text('begin'))
  const end = parseDate(probe.text('end'))
  const [, , uptime] = probe.text('host').split('\n')
  const uptimeSeconds = Number(uptime?.split(' ')[0] || NaN)
  const accounts = readAccounts(probe.text('passwd'))
  const dataDir = probe.text('data-dir').startsWith('/') ? probe.text('data-dir') : undefined
  const all = readProcesses(sections, context.product, accounts, {
    nowSeconds: begin,
    uptimeSeconds: Number.isFinite(uptimeSeconds) ? uptimeSeconds : undefined,
  })
  const processes = context.only === undefined ? all : all.filter(one => one.dataDir === dataDir)
  const raftDir = dataDir === undefined ? undefined : raftDirOf(dataDir, context.product)
  const main = processes.find(one => one.dataDir !== undefined && one.dataDir === dataDir) ?? processes[0]
  const version = readVersion(probe)
  const known: Known = {
    probe,
    context,
    accounts,
    processes,
    main,
    dataDir,
    raftDir,
    version: valueOf(version),
  }
  const service = readService(probe)
  const command = commandOf(probe, main) ?? {argv: unitArgv(service), workingDir: undefined}
  const {config, encrypt} = readConfig(probe, command, valueOf(version))
  const configured = valueOf(config)?.dataDir
  const stats = readStats(known, (end ?? begin ?? 0) * 1000)
  const [dataOpen, raftOpen] = probe.text('searchable').split(' ')
  const files = readFiles(known, stats, dataOpen === 'open')
  const facts: ProbedFacts = {
    product: readProduct(known),
    version,
    clockOffsetMs: readOffset(known, begin, end),
    hostAddresses: readAddresses(probe, context),
    processes: readProcessList(known, configured),
    service,
    sockets: ownSockets(readSockets(probe, processes), context),
    config,
    disk: readDisk(known, stats),
    files,
    nodeId: probe.file('node-id', 'file', file => parseNodeId(file.bytes, context.product, valueOf(version))),
    peersFile: readPeersFile(known),
    peersInfo: readPeersInfo(known),
    lastSeenUnix: probe.file('metadata', 'file', file => parseServerMetadata(file.bytes)),
    snapshots:
      raftDir === undefined
        ? noDataDir(probe, 'snapshots')
        : snapshotsOf(probe, raftDir, stats, raftOpen === 'open'),
    serfSnapshot: probe.file('serf', 'file', file => parsed(parseSerfSnapshot(serfTail(file.bytes)))),
    keyring: readKeyring(known, encrypt),
    storeLock: readLock(probe, stats, raftDir),
    journal: readJournal(known),
    traces: read(readTraces(probe), probe.source('file', 'traces of quorate')),
  }
  return {
    facts,
    dataDir,
    raftDir,
    configuredDataDir: configured !== undefined && configured !== dataDir ? configured : undefined,
    roundTripMs: roundTrip(context, begin, end),
  }
}

/** Where a product keeps its Raft data below its data directory. */
export function raftDirOf(dataDir: string, product: ProductName): string {
  const base = dataDir === '/' ? '' : dataDir
  if (product === 'nomad') return `${base}/server/raft`
  return product === 'rqlite' ? dataDir : `${base}/raft`
}

interface Known {
  readonly probe: ProbeSections
  readonly context: ProbeContext
  readonly accounts: readonly Account[]
  readonly processes: readonly ProbedProcess[]
  readonly main: ProbedProcess | undefined
  readonly dataDir: string | undefined
  readonly raftDir: string | undefined
  readonly version: string | undefined
}

/** The command line as it is, secrets included, for the reader of the configuration only. */
function commandOf(
  probe: ProbeSections,
  main: ProbedProcess | undefined,
): {argv: readonly string[]; workingDir: string | undefined} | undefined {
  if (main === undefined) return undefined
  const at = probe.all.findIndex(
    section => section.name === 'process' && text(section.bytes) === String(main.pid),
  )
  const cmdline = probe.all.slice(at).find(section => section.name === 'process.cmdline')
  return {argv: splitArguments(cmdline?.bytes ?? new Uint8Array()), workingDir: main.workingDir}
}

function readVersion(probe: ProbeSections): Reading<string> {
  const executable = probe.text('executable')
  const source = probe.source('process', `${executable || 'executable'} version`)
  const version = parseVersionOutput(probe.text('version'))
  if (version !== undefined) return read(version, source)
  if (executable === '' && probe.find('process') === undefined)
    return unread('absent', source, 'No program of the product was found.')
  return unread('denied', source, 'The program could not be run, or is not one that root should run.')
}

function readProduct(known: Known): Reading<ProductName> {
  const {probe, context, main, dataDir} = known
  if (main !== undefined) return read(context.product, probe.source('process', `process ${main.pid}`))
  if (known.version !== undefined)
    return read(context.product, probe.source('process', probe.text('executable')))
  const source = probe.source('host', 'processes, units and files')
  if (dataDir !== undefined && probe.find('stat') !== undefined)
    return read(context.product, probe.source('file', dataDir))
  return unread('absent', source, `Nothing of ${context.product} was found.`)
}

/**
 * The host's clock minus ours. The probe reads the clock as its first and its last act; between our clock and the
 * first lies the way there, between the last and ours the way back, and halves of unlike ways cancel out as in NTP.
 */
function readOffset(known: Known, begin: number | undefined, end: number | undefined): Reading<number> {
  const source = known.probe.source('host', 'date')
  if (begin === undefined || end === undefined)
    return unread('failed', source, 'The host did not tell its time.')
  const {sentAtMs, receivedAtMs} = known.context
  return read(Math.round((begin * 1000 - sentAtMs + (end * 1000 - receivedAtMs)) / 2), source)
}

function roundTrip(context: ProbeContext, begin: number | undefined, end: number | undefined): number {
  const whole = context.receivedAtMs - context.sentAtMs
  const there = begin === undefined || end === undefined ? 0 : (end - begin) * 1000
  return Math.max(0, whole - there)
}

function readAddresses(probe: ProbeSections, {only}: ProbeContext): Reading<readonly string[]> {
  if (only !== undefined) return read([only.address], probe.source('host', 'local cluster'))
  const ip = probe.find('ip')
  const addresses = ip === undefined ? parseFibTrie(probe.text('fib')) : parseIpAddresses(text(ip.bytes))
  const source = probe.source('host', ip === undefined ? '/proc/net/fib_trie' : 'ip addr')
  return addresses.length === 0
    ? unread('failed', source, 'The host did not tell its addresses.')
    : read(addresses, source)
}

/** Of a machine that runs several servers, what listens at this server's address. */
function ownSockets(
  sockets: ServerObservation['sockets'],
  {only}: ProbeContext,
): ServerObservation['sockets'] {
  return only === undefined
    ? sockets
    : mapReading(sockets, all =>
        all.filter(({address, pid}) => address === only.address || pid !== undefined),
      )
}

function readProcessList(
  known: Known,
  configuredDataDir: string | undefined,
): ServerObservation['processes'] {
  const {probe, processes, main} = known
  const source = probe.source('process', '/proc')
  const section = probe.find('processes')
  if (section === undefined || section.status === 'cut')
    return unread('failed', source, 'The host did not list its processes.')
  if (section.status !== 0)
    return unread('denied', source, 'Processes of other users are hidden from us (hidepid).')
  const shown = processes.map(({pid, ppid, user, argv, executable, startedAtMs, state, dataDir}) => ({
    ...{pid, ppid, user, argv, executable, startedAtMs, state},
    // The configuration was put together from the command line of the main process, so it is that one's.
    dataDir: dataDir ?? (pid === main?.pid ? configuredDataDir : undefined),
  }))
  return read(shown, source)
}

function readStats(known: Known, hostNowMs: number): readonly StatLine[] {
  const stat = known.probe.find('stat')
  return stat === undefined ? parseLs(known.probe.text('ls'), hostNowMs) : parseStat(text(stat.bytes))
}

function readFiles(known: Known, stats: readonly StatLine[], searchable: boolean): Reading<RaftFiles> {
  const {probe, dataDir, raftDir} = known
  if (dataDir === undefined || raftDir === undefined) return noDataDir(probe, 'raft files')
  const source = probe.source('file', raftDir)
  const find = (path: string): FileFacts | undefined => {
    const line = stats.find(one => one.path === path)
    if (line === undefined) return undefined
    const {device: _device, inode: _inode, ...facts} = line
    return facts
  }
  if (find(dataDir) === undefined) {
    return searchable || probe.text('searchable') === ''
      ? unread('absent', source, 'There is no such directory.')
      : unread('denied', source, 'The data directory may not be searched.')
  }
  return read(
    {
      dataDir: find(dataDir),
      raftDir: find(raftDir),
      store: find(`${raftDir}/raft.db`) ?? find(`${raftDir}/wal/wal-meta.db`),
      peersJson: find(`${raftDir}/peers.json`),
      peersInfo: find(`${raftDir}/peers.info`),
      serviceUser: serviceUser(known),
    },
    source,
  )
}

/** The user of the running server, else the one that the unit names. */
function serviceUser(known: Known): RaftFiles['serviceUser'] {
  const {main, accounts, probe} = known
  if (main !== undefined && main.uid >= 0) return {uid: main.uid, gid: main.gid, name: main.user}
  const status = probe.text('status')
  const isSystemd = probe.text('manager').startsWith('systemd\0')
  const named =
    /^User=(.+)$/m.exec(isSystemd ? status : '')?.[1] ??
    /(?:chpst|setuidgid)\s+(?:-\S+\s+)*(?:-u\s+)?([A-Za-z_][\w-]*)/.exec(unitText(probe))?.[1] ??
    /^user\s*=\s*(\S+)/m.exec(unitText(probe))?.[1] ??
    (isSystemd && status.includes('User=') ? 'root' : undefined)
  const account = accounts.find(one => one.name === named || String(one.uid) === named)
  return account === undefined ? undefined : {uid: account.uid, gid: account.gid, name: account.name}
}

function readDisk(known: Known, stats: readonly StatLine[]): ServerObservation['disk'] {
  const {probe, dataDir, raftDir} = known
  if (dataDir === undefined || raftDir === undefined) return noDataDir(probe, 'df')
  const inside = stats.filter(line => line.path.startsWith(`${raftDir}/`) && line.kind === 'file')
  const raftBytes = stats.some(line => line.path === raftDir)
    ? inside.reduce((sum, line) => sum + line.sizeBytes, 0)
    : undefined
  const outputs = {df: probe.text('df'), dfi: probe.text('dfi'), mounts: probe.text('mounts')}
  const disk = parseDisk(dataDir, outputs, raftBytes)
  const source = probe.source('host', `df ${dataDir}`)
  return disk === undefined ? unread('failed', source, 'df did not answer.') : read(disk, source)
}

function readPeersFile(known: Known): Reading<PeersFile> {
  return known.probe.file('peers.json', 'file', file =>
    file.bytes.length >= PEERS_BYTES
      ? problemAt('longer than 64 KiB: no peer set is that large', {line: 1, column: 1})
      : parsed(parsePeersJson(file.bytes, known.context.sha256(file.bytes))),
  )
}

function readPeersInfo(known: Known): Reading<boolean> {
  const {probe, raftDir} = known
  const status = probe.find('peers.info')?.status
  if (raftDir === undefined || status === undefined) return noDataDir(probe, 'peers.info')
  const source = probe.source('file', `${raftDir}/peers.info`)
  // What stands in it says nothing; that it is there, whatever it is, is the whole message.
  if (status === 'absent') return read(false, source)
  if (status === 'denied') return unread('denied', source, 'The raft directory may not be searched.')
  return status === 'cut'
    ? unread('failed', source, 'The answer of the host ended early.')
    : read(true, source)
}

function readKeyring(known: Known, encrypt: string | undefined): ServerObservation['keyring'] {
  const {probe, context} = known
  const reading = probe.file('keyring', 'file', file => parseKeyring(file.bytes, context.sha256))
  const configured = encrypt === undefined ? undefined : keyFingerprint(encrypt, context.sha256)
  if (reading.kind === 'read' || configured === undefined) return reading
  // The keyring file is written at the first start; before that the configured key is the one that will be used.
  return read({fingerprints: [configured]}, probe.source('config', 'encrypt'))
}

function readJournal(known: Known): ServerObservation['journal'] {
  const {probe} = known
  const section = probe.find('log')
  const [manager, unit] = probe.text('manager').split('\0')
  const source = probe.source('journal', manager === 'systemd' ? `journalctl -u ${unit ?? ''}` : 'log file')
  if (section === undefined || section.status === 'cut')
    return unread('failed', source, 'The log did not arrive.')
  if (section.bytes.length === 0 && manager === 'systemd' && probe.text('uid') !== '0')
    return unread('denied', source, 'The journal shows plain users nothing of it.')
  if (section.bytes.length === 0)
    return unread(
      'absent',
      source,
      'Neither a journal nor a log file of the server was found, or it is empty.',
    )
  return read(matchLog(section.bytes, utcOffset(probe)), source)
}

function utcOffset(probe: ProbeSections): {utcOffsetMs?: number} {
  const match = /^([+-])(\d\d)(\d\d)$/.exec(probe.text('zone').trim())
  if (match === null) return {}
  const minutes = Number(match[2]) * 60 + Number(match[3])
  return {utcOffsetMs: (match[1] === '-' ? -minutes : minutes) * 60_000}
}

/** A tail may begin in the middle of a line. */
function serfTail(bytes: Uint8Array): Uint8Array {
  return bytes.length < SERF_TAIL_BYTES ? bytes : bytes.subarray(bytes.indexOf(10) + 1)
}

function noDataDir(
  probe: ProbeSections,
  what: string,
): {kind: 'unread'; why: Unread; source: ReturnType<ProbeSections['source']>; detail: string} {
  return {kind: 'unread', why: 'not-asked', source: probe.source('file', what), detail: NO_DATA_DIR}
}

/** The command of the unit, for a server that does not run. Go's flags end at a word that is none, so variables go. */
function unitArgv(service: ServerObservation['service']): readonly string[] {
  return (valueOf(service)?.execStart ?? []).filter(word => !word.includes('$'))
}
