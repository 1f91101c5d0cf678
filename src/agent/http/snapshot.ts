import type {HttpAnswer} from '../backend.js'
import {Failure, NO_LEADER, emptyAnswer} from './answers.js'
import type {Context} from './context.js'
import type {ParsedRequest} from './request.js'
import {packSnapshot, unpackSnapshot} from './snapshot-archive.js'

/** `GET` and `PUT /v1/snapshot`. Unlike other requests this one does not wait for a leader. */
export async function handleSnapshot(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const {backend, consistency} = context
  consistency.checkDatacenter(parsed.query)
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

async function restore({backend}: Context, {request}: ParsedRequest): Promise<HttpAnswer> {
  const unpacked = await unpackSnapshot(request.body)
  if ('problem' in unpacked) throw new Failure(500, unpacked.problem)
  const problem = await backend.restoreSnapshot(unpacked.meta, pieces(unpacked.state))
  if (problem !== undefined) throw new Failure(500, problem.problem)
  return emptyAnswer()
}

const PIECE = 256 * 1024

async function* pieces(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE)
}
