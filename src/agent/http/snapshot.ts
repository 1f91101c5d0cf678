import {encodeRestore} from '../../core/fsm/commands.js'
import type {HttpAnswer} from '../backend.js'
import {Failure, NO_LEADER, emptyAnswer} from './answers.js'
import type {Context} from './context.js'
import {applied} from './context.js'
import type {ParsedRequest} from './request.js'
import {packSnapshot, unpackSnapshot} from './snapshot-archive.js'

/** `GET` and `PUT /v1/snapshot`. Unlike other requests this one does not wait for a leader. */
export async function handleSnapshot(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const {backend, consistency} = context
  consistency.checkDatacenter(parsed.query.get('dc'))
  const stale = parsed.request.method === 'GET' && parsed.query.has('stale')
  const fromServer = await consistency.anyServer(parsed.request)
  if (fromServer !== undefined) return fromServer
  if (!stale && !backend.leads()) {
    if (backend.leader() === undefined) throw new Failure(500, NO_LEADER)
    const elsewhere = await consistency.write(parsed.request)
    if (elsewhere !== undefined) return elsewhere
  }
  return parsed.request.method === 'GET' ? save(context) : restore(context, parsed)
}

async function save({backend}: Context): Promise<HttpAnswer> {
  const snapshot = await backend.saveSnapshot()
  if ('problem' in snapshot) throw new Failure(500, snapshot.problem)
  return {
    status: 200,
    headers: {
      'X-Consul-Index': String(snapshot.meta.index),
      'X-Consul-Knownleader': String(backend.leads() || backend.leader() !== undefined),
      'X-Consul-Lastcontact': String(Math.round(backend.lastContactMs() ?? 0)),
      'Content-Type': 'application/x-gzip',
    },
    body: packSnapshot(snapshot, backend.nowMs()),
  }
}

/**
 * Brings the state in by way of the log, in parts, so that all servers change at the same entry. Servers of another
 * make would not follow, so there must be none.
 */
async function restore(context: Context, {request}: ParsedRequest): Promise<HttpAnswer> {
  const {backend} = context
  const unpacked = await unpackSnapshot(request.body)
  if ('problem' in unpacked) throw new Failure(500, unpacked.problem)
  const foreign = backend
    .members('lan')
    .find(({tags}) => tags['role'] === 'consul' && tags['build']?.split(':')[1] !== backend.identity.revision)
  if (foreign !== undefined)
    throw new Failure(500, `failed to restore snapshot: ${foreign.name} is a server of another make`)
  const id = backend.uuid()
  const steps = partsOf(unpacked.state)
  const send = (op: string, data: Uint8Array = NOTHING) =>
    applied(
      context,
      encodeRestore({op, id, data, parts: steps.length, index: 0}),
      'failed to restore snapshot: ',
    )
  await send('begin')
  for (const part of steps) await send('part', part)
  await send('end')
  return emptyAnswer()
}

const PART = 256 * 1024
const NOTHING = new Uint8Array(0)

function partsOf(bytes: Uint8Array): readonly Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += PART) parts.push(bytes.subarray(at, at + PART))
  return parts
}
