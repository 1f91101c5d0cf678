import {readList} from '../../core/fsm/call-answer.js'
import type {CallQuery} from '../../core/fsm/call-query.js'
import type {PackReader} from '../../core/fsm/pack-reader.js'
import {readSession as readRecord} from '../../core/fsm/read-records.js'
import type {Readers} from '../../core/fsm/write-records.js'
import type {Headers} from './answers.js'
import {parseGoDuration} from '../../core/codec/go-duration.js'
import {bareSession, encodeSession} from '../../core/fsm/commands.js'
import {textOf} from '../../core/fsm/byte-string.js'
import type {Session} from '../../core/fsm/messages.js'
import {sessionsOf} from '../../core/fsm/sessions.js'
import type {HttpAnswer} from '../backend.js'
import {Failure, jsonAnswer, textAnswer, truthAnswer} from './answers.js'
import {readFields} from './body.js'
import type {Context} from './context.js'
import {applied} from './context.js'
import {goText, parseJson} from './json.js'
import type {ParsedRequest} from './request.js'

const LOCK_DELAY_DEFAULT_NS = 15e9
const TTL_MIN_MS = 10_000
const TTL_MAX_MS = 24 * 3_600_000
/** A number below this is taken for seconds, not nanoseconds (`lockDelayMinThreshold`, consul agent). */
const SECONDS_BELOW = 1000

/** `PUT /v1/session/create`: the only call whose body may be missing. */
export async function createSession(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  context.consistency.checkDatacenter(parsed.query.get('dc'))
  const wanted = readSession(parsed.request.body, context.backend.identity.nodeName)
  // The session is of this agent's node, so that must be settled before the request goes to the leader.
  const body = Buffer.from(JSON.stringify(sessionBody(wanted)))
  const elsewhere = await context.consistency.change({...parsed.request, body})
  if (elsewhere !== undefined) return elsewhere
  checkSession(wanted)
  const id = context.backend.uuid()
  const session = {...wanted, id}
  const result = await applied(
    context,
    encodeSession(context.backend.identity.datacenter, 'create', session, readersHere(context)),
    'apply failed: ',
  )
  context.sessionTimers.renew(session)
  return jsonAnswer({ID: String(result)}, parsed.query)
}

/** A client does not know how old the servers are. */
const readersHere = ({backend}: Context): Readers => backend.machine?.readers ?? 'of-any-age'

function readSession(body: Uint8Array, node: string): Session {
  const session = {
    ...bareSession(''),
    node,
    lockDelayNs: LOCK_DELAY_DEFAULT_NS,
    nodeChecks: ['serfHealth'] as readonly string[],
  }
  if (body.length === 0) return session
  const json = parseJson(body)
  if ('problem' in json) throw new Failure(400, `Request decode failed: ${json.problem}`)
  const fields = readFields(json.value)
  const checks = fields.texts('NodeChecks') ?? fields.texts('Checks')
  const serviceChecks = fields.list('ServiceChecks')?.map(item => readFields(item).text('ID'))
  return {
    ...session,
    node: fields.text('Node') || node,
    name: fields.text('Name'),
    behavior: fields.text('Behavior'),
    ttl: fields.text('TTL'),
    lockDelayNs: fields.has('LockDelay') ? lockDelay(fields.value('LockDelay')) : LOCK_DELAY_DEFAULT_NS,
    nodeChecks: checks ?? session.nodeChecks,
    serviceChecks: serviceChecks ?? null,
  }
}

function lockDelay(value: unknown): number {
  if (typeof value === 'number') return nanoseconds(value < SECONDS_BELOW ? value * 1e9 : value)
  const text = String(value)
  const ms = parseGoDuration(text)
  if (ms === undefined)
    throw new Failure(400, `Request decode failed: time: invalid duration ${goText(text)}`)
  return nanoseconds(ms * 1e6)
}

const nanoseconds = (value: number): number =>
  Math.max(0, Math.min(Math.round(value), Number.MAX_SAFE_INTEGER))

/** The body that makes another agent read the same session. */
const sessionBody = (session: Session) => ({
  Node: session.node,
  Name: session.name,
  Behavior: session.behavior,
  TTL: session.ttl,
  LockDelay: session.lockDelayNs >= SECONDS_BELOW ? session.lockDelayNs : `${session.lockDelayNs}ns`,
  NodeChecks: session.nodeChecks,
  ServiceChecks: session.serviceChecks?.map(id => ({ID: id})),
})

/** What the leader demands of a new session (`Session.Apply`, consul agent/consul/session_endpoint.go). */
export function checkSession(session: Session): void {
  if (session.behavior !== '' && session.behavior !== 'release' && session.behavior !== 'delete')
    throw new Failure(500, `Invalid Behavior setting '${session.behavior}'`)
  if (session.ttl === '') return
  const ttl = parseGoDuration(session.ttl)
  if (ttl === undefined)
    throw new Failure(
      500,
      `Session TTL '${session.ttl}' invalid: time: invalid duration ${goText(session.ttl)}`,
    )
  if (ttl !== 0 && (ttl < TTL_MIN_MS || ttl > TTL_MAX_MS))
    throw new Failure(500, `Invalid Session TTL '${ttl * 1e6}', must be between [10s=24h0m0s]`)
}

/** `PUT /v1/session/destroy/ID`. */
export async function destroySession(
  context: Context,
  parsed: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const id = sessionId(rest)
  context.consistency.checkDatacenter(parsed.query.get('dc'))
  const elsewhere = await context.consistency.change(parsed.request)
  if (elsewhere !== undefined) return elsewhere
  await applied(context, encodeSession(context.backend.identity.datacenter, 'destroy', bareSession(id)))
  return truthAnswer(true, parsed.query)
}

/** `PUT /v1/session/renew/ID`: a sign of life, which only the leader keeps. */
export async function renewSession(
  context: Context,
  parsed: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const id = sessionId(rest)
  context.consistency.checkDatacenter(parsed.query.get('dc'))
  const elsewhere = await context.consistency.change(parsed.request)
  if (elsewhere !== undefined) return elsewhere
  const session = context.consistency.asksThere()
    ? await renewedThere(context, id)
    : context.backend.machine?.tables.sessions.get(id)?.value
  if (session === undefined) return textAnswer(404, `Session id '${id}' not found`)
  context.sessionTimers.renew(session)
  return jsonAnswer([sessionJson(session)], parsed.query)
}

async function renewedThere({consistency}: Context, session: string): Promise<Session | undefined> {
  const there = {...sessionsThere('Session.Renew', {session}), read: readSessions}
  const {found} = await consistency.readThere(there, {mode: 'default', wait: undefined, onGone: undefined})
  return found[0]
}

const readSessions = (reader: PackReader): readonly Session[] => readList(reader, readRecord)
const sessionsThere = (method: string, asks: Partial<CallQuery>) => ({method, asks, name: 'Sessions'})

/** `GET /v1/session/info/ID`. */
export async function sessionInfo(
  context: Context,
  parsed: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const id = sessionId(rest)
  return sessions(context, parsed, sessionsThere('Session.Get', {session: id}), machine => {
    const found = machine.get(id)
    return found === undefined ? [] : [found]
  })
}

/** `GET /v1/session/list`. */
export async function listSessions(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  return sessions(context, parsed, sessionsThere('Session.List', {}), all => all.all())
}

/** `GET /v1/session/node/NODE`. */
export async function nodeSessions(
  context: Context,
  parsed: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  if (rest === '') throw new Failure(400, 'Missing node name')
  const node = textOf(rest)
  return sessions(context, parsed, sessionsThere('Session.NodeSessions', {node}), all => all.of(node))
}

interface SessionsFound {
  get(id: string): Session | undefined
  all(): readonly Session[]
  of(node: string): readonly Session[]
}

function sessions(
  context: Context,
  parsed: ParsedRequest,
  there: ReturnType<typeof sessionsThere>,
  pick: (found: SessionsFound) => readonly Session[],
): Promise<HttpAnswer> {
  const answer = (found: readonly Session[], meta: Headers): HttpAnswer =>
    jsonAnswer(found.map(sessionJson), parsed.query, meta)
  return context.consistency.query(parsed, {
    watch: [{table: 'sessions'}],
    run: ({tables}) => {
      const picked = pick({
        get: id => tables.sessions.get(id)?.value,
        all: () => [...tables.sessions.from('')].map(filed => filed.value),
        of: node => sessionsOf(tables, node),
      })
      return {index: tables.maxIndex('sessions'), answer: meta => answer(picked, meta)}
    },
    there: {
      ...there,
      read: reader => {
        const found = readSessions(reader)
        return meta => answer(found, meta)
      },
    },
  })
}

function sessionId(rest: string): string {
  if (rest === '') throw new Failure(400, 'Missing session')
  return textOf(rest)
}

const sessionJson = (session: Session) => ({
  ID: session.id,
  Name: session.name,
  Node: session.node,
  LockDelay: session.lockDelayNs,
  Behavior: session.behavior,
  TTL: session.ttl,
  NodeChecks: session.nodeChecks,
  ServiceChecks: session.serviceChecks?.map(id => ({ID: id, Namespace: ''})) ?? null,
  CreateIndex: session.createIndex,
  ModifyIndex: session.modifyIndex,
})
