import type {DiskState} from '../../core/model/disk-state.js'
import {logState} from '../../core/model/disk-state.js'
import type {SnapshotMeta, StoreState} from '../../core/model/observation.js'
import type {Reading, Source} from '../../core/model/reading.js'
import {read, unread} from '../../core/model/reading.js'
import {consulMessage} from '../../core/store/consul-messages.js'
import {timeText} from '../../core/store/log-entry.js'
import {readStore} from '../../core/store/read-store.js'
import {settle} from '../../core/store/requests.js'
import type {StoreReader, StoreResult} from '../../core/store/requests.js'
import {addToTally, emptyTally} from '../../core/store/scan.js'
import type {LogRecord, ScanTally} from '../../core/store/scan.js'
import {openScan} from '../../core/store/scan-store.js'
import {readSnapshots} from '../../core/store/snapshots.js'
import {printableBytes} from '../../core/text.js'
import {QuorateError} from '../../errors.js'
import type {Clock} from '../../ports/clock.js'
import {driveStore, StoreRun} from '../drive-store.js'
import type {DriveOptions, StoreFiles} from '../drive-store.js'

/** A raft directory on this machine, with the data directory around it when it was found through that. */
export interface RaftDirectory {
  readonly path: string
  readonly files: StoreFiles
  /** Whether it lies in a Consul data directory, so that commands can be named. */
  readonly consul: boolean
}

/** What the operator asked of `inspect`. */
export interface InspectIntent {
  /** Check every page of the log, every checksum of segments and snapshots. */
  readonly deep: boolean
}

/** What a raft directory holds. */
export interface Inspection {
  readonly directory: string
  readonly store: Reading<StoreState>
  readonly snapshots: Reading<readonly SnapshotMeta[]>
  /** End of log and peer set that a server would start with, except Consul up to 0.6, which obeys peers.json. */
  readonly state: DiskState
  /** Content of peers.json; unread `absent` when there is none. */
  readonly peersJson: Reading<string>
  readonly peersInfo: Reading<boolean>
  /** With --deep: what going over the whole log adds up to. */
  readonly tally: Reading<ScanTally>
}

const BUDGET_BYTES = 16 * 1024 * 1024 * 1024 // this machine's own disk: the search may go as far as it must
const PEERS_BYTES_MAX = 64 * 1024
const DEADLINE_MS = 24 * 60 * 60 * 1000

/** Reads what a raft directory holds. Never takes a lock and never writes. */
export async function inspect(
  directory: RaftDirectory,
  {deep}: InspectIntent,
  clock: Clock,
): Promise<Inspection> {
  const {files} = directory
  const options = {clock, deadlineMs: clock.nowMs() + DEADLINE_MS}
  const source = (what: string): Source => ({host: 'local', via: 'store', what})
  const snapshots = toReading(
    (await driveStore(() => readSnapshots({deep, source: source('snapshots')}), files, options)).result,
    source('snapshots'),
  )
  const newest = snapshots.kind === 'read' ? snapshots.value.find(snapshot => !snapshot.temporary) : undefined
  const store = toReading(
    (
      await driveStore(
        attempt =>
          readStore(
            {
              byteBudget: BUDGET_BYTES,
              tailByteBudget: BUDGET_BYTES,
              snapshotIndex: deep ? 0 : (newest?.index ?? 0),
            },
            attempt,
          ),
        files,
        options,
      )
    ).result,
    source('log store'),
  )
  const scanned = deep && store.kind === 'read' ? await tallyLog(directory, clock) : undefined
  return {
    directory: directory.path,
    store,
    snapshots,
    state: logState(store, snapshots),
    peersJson: await readText(files, 'peers.json', source('peers.json'), options),
    peersInfo: await exists(files, 'peers.info', source('peers.info'), options),
    tally:
      scanned === undefined
        ? unread('not-asked', source('log store'))
        : toReading(scanned, source('log store')),
  }
}

function toReading<T>(result: StoreResult<T>, source: Source): Reading<T> {
  return result.kind === 'read' ? read(result.value, source) : unread(result.why, source, result.detail)
}

async function readText(
  files: StoreFiles,
  name: string,
  source: Source,
  options: DriveOptions,
): Promise<Reading<string>> {
  const {result: content} = await driveStore(() => readHead(name), files, options)
  if (content.kind === 'unread') return unread(content.why, source, content.detail)
  return read(printableBytes(content.value, PEERS_BYTES_MAX).replace(/\\n$/, ''), source)
}

async function exists(
  files: StoreFiles,
  name: string,
  source: Source,
  options: DriveOptions,
): Promise<Reading<boolean>> {
  const {result: content} = await driveStore(() => readHead(name), files, options)
  if (content.kind === 'read') return read(true, source)
  return content.why === 'absent' ? read(false, source) : unread(content.why, source, content.detail)
}

function* readHead(file: string): StoreReader<StoreResult<Uint8Array>> {
  const [reply] = yield [{kind: 'read', file, offset: 0, length: PEERS_BYTES_MAX}]
  if (reply?.kind === 'bytes') return {kind: 'read', value: reply.bytes}
  if (reply?.kind === 'unread') return reply
  return {kind: 'unread', why: 'failed', detail: `${file} was not read.`}
}

/** Goes over a log in order and hands every block of entries to `take`, which may make it wait, or stop it by false. */
export async function scanLog(
  directory: RaftDirectory,
  options: {readonly from: number; readonly to: number; readonly deep: boolean},
  clock: Clock,
  take: (records: readonly LogRecord[]) => Promise<boolean>,
): Promise<StoreResult<void>> {
  const run = new StoreRun(directory.files, clock, clock.nowMs() + DEADLINE_MS)
  try {
    const opened = await run.pull(settle(openScan(options)))
    if (opened.kind === 'unread') return opened
    for (;;) {
      const records = await run.pull(settle(opened.value.next()))
      if (records.kind === 'unread') {
        // Damage is believed only if the store stood still meanwhile
        const still = await run.pull(settle(opened.value.finish()))
        return still.kind === 'unread' ? still : records
      }
      if (records.value.length === 0) return await run.pull(settle(opened.value.finish()))
      if (!(await take(records.value))) return {kind: 'read', value: undefined}
    }
  } finally {
    await run.close()
  }
}

async function tallyLog(directory: RaftDirectory, clock: Clock): Promise<StoreResult<ScanTally>> {
  let tally = emptyTally
  const whole = {from: 0, to: Number.MAX_SAFE_INTEGER, deep: true}
  const result = await scanLog(directory, whole, clock, async records => {
    tally = addToTally(tally, records)
    return Promise.resolve(true)
  })
  return result.kind === 'read' ? {kind: 'read', value: tally} : result
}

/** One entry as a line of NDJSON. */
export function logLine(record: LogRecord, consul: boolean): string {
  const message =
    consul && record.type === 'command' && record.firstByte !== undefined
      ? consulMessage(record.firstByte)
      : undefined
  const appendedAt = record.appendedAt === undefined ? undefined : timeText(record.appendedAt)
  return JSON.stringify({
    index: record.index,
    term: record.term,
    type: record.type ?? `type-${record.typeNumber}`,
    ...(message === undefined ? {} : {message}),
    bytes: record.dataBytes,
    ...(appendedAt === undefined ? {} : {appendedAt}),
  })
}

/** The error of a store that could not be read, or undefined when it could or when there is none. */
export function storeProblem(directory: string, reading: Reading<unknown>): QuorateError | undefined {
  if (reading.kind === 'read' || reading.why === 'absent' || reading.why === 'not-asked') return undefined
  const detail = reading.detail ?? 'It could not be read.'
  if (reading.why === 'unsupported') return new QuorateError('UNSUPPORTED_STORE', `${directory}: ${detail}`)
  const hints =
    reading.why === 'denied'
      ? ['Run it as root or as the user of the service.']
      : reading.why === 'changed'
        ? ['Stop the server first, or run it again: it is being written to all the time.']
        : []
  return new QuorateError('STORE_UNREADABLE', `${directory}: ${detail}`, {hints, details: {why: reading.why}})
}
