import type {SnapshotMeta} from '../model/observation.js'
import type {Reading} from '../model/reading.js'
import {read, unread} from '../model/reading.js'
import type {StoreEntry, StoreReply, StoreRequest} from '../store/requests.js'
import {readSnapshots} from '../store/snapshots.js'
import type {FileSection} from './probe-frames.js'
import type {StatLine} from './probe-host.js'
import type {ProbeSections} from './probe-sections.js'
import {troubleOf} from './probe-sections.js'

const META_BYTES = 65536 // what the probe takes of a meta.json

/** The snapshots of the raft directory, read from what the probe brought of them: no further round trip. */
export function snapshotsOf(
  probe: ProbeSections,
  raftDir: string,
  stats: readonly StatLine[],
  searchable: boolean,
): Reading<readonly SnapshotMeta[]> {
  const directory = `${raftDir}/snapshots`
  const source = probe.source('file', directory)
  const files = new Map(probe.files('snapshot').map(file => [file.path, file]))
  const reader = readSnapshots({deep: false, source})
  let step = reader.next()
  while (step.done !== true)
    step = reader.next(step.value.map(request => answer(request, {raftDir, stats, searchable, files})))
  const result = step.value
  return result.kind === 'read' ? read(result.value, source) : unread(result.why, source, result.detail)
}

interface Known {
  readonly raftDir: string
  readonly stats: readonly StatLine[]
  readonly searchable: boolean
  readonly files: ReadonlyMap<string, FileSection>
}

function answer(request: StoreRequest, known: Known): StoreReply {
  if (request.kind === 'list') return list(`${known.raftDir}/${request.directory}`, known)
  const file = known.files.get(`${known.raftDir}/${request.file}`)
  if (file === undefined || request.kind === 'size')
    return {kind: 'unread', why: 'over-budget', detail: 'The probe did not bring it.'}
  const trouble = troubleOf(file.status)
  if (trouble !== undefined) return {kind: 'unread', ...trouble}
  if (file.bytes.length >= META_BYTES)
    return {kind: 'unread', why: 'over-budget', detail: 'It is larger than 64 KiB.'}
  return {kind: 'bytes', bytes: file.bytes.subarray(request.offset, request.offset + request.length)}
}

function list(directory: string, known: Known): StoreReply {
  if (!known.stats.some(line => line.path === directory)) {
    return known.searchable
      ? {kind: 'unread', why: 'absent', detail: 'There is no such directory.'}
      : {kind: 'unread', why: 'denied', detail: 'The raft directory may not be searched.'}
  }
  const entries: StoreEntry[] = []
  for (const line of known.stats) {
    const name = line.path.startsWith(`${directory}/`) ? line.path.slice(directory.length + 1) : ''
    if (name !== '' && !name.includes('/')) entries.push({name, directory: line.kind === 'directory'})
  }
  return {kind: 'entries', entries}
}
