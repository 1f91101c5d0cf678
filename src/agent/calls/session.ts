import {writeList} from '../../core/fsm/call-answer.js'
import {readCallQuery} from '../../core/fsm/call-query.js'
import {encodeAnswerOf} from '../../core/fsm/call-answer.js'
import {bareSession, encodeSession} from '../../core/fsm/commands.js'
import type {Session} from '../../core/fsm/messages.js'
import type {PackWriter} from '../../core/fsm/pack-writer.js'
import {PackReader} from '../../core/fsm/pack-reader.js'
import {readSessionCommand} from '../../core/fsm/read-records.js'
import {sessionsOf} from '../../core/fsm/sessions.js'
import type {Tables} from '../../core/fsm/tables.js'
import {listed} from '../../core/fsm/tables.js'
import {writeSession} from '../../core/fsm/write-records.js'
import {Encoded} from '../../core/wire/consul-rpc.js'
import {Failure} from '../http/answers.js'
import type {Context} from '../http/context.js'
import {applied} from '../http/context.js'
import {checkSession} from '../http/session.js'
import type {QueryCall} from './query.js'

/** `Session.Apply` (`SessionRequest`, consul agent/consul/session_endpoint.go): answers the session's id. */
export async function applySessionCall(context: Context, argument: Uint8Array): Promise<string> {
  const {backend, sessionTimers} = context
  const {datacenter} = backend.identity
  const {op, session: wanted} = readSessionCommand(new PackReader(argument))
  if (op === 'destroy') {
    if (wanted.id === '') throw new Failure(500, 'Must provide ID')
    await applied(context, encodeSession(datacenter, 'destroy', bareSession(wanted.id)))
    return wanted.id
  }
  if (op !== 'create') throw new Failure(500, `Invalid session operation '${op}'`)
  if (wanted.node === '') throw new Failure(500, 'Must provide Node')
  checkSession(wanted)
  const session = {...wanted, id: backend.uuid()}
  const id = await applied(context, encodeSession(datacenter, 'create', session, backend.machine?.readers))
  sessionTimers.renew(session)
  return String(id)
}

/** `Session.Renew` (`SessionSpecificRequest`): a sign of life, which only the leader keeps. */
export function renewSessionCall(
  {backend, sessionTimers, consistency}: Context,
  argument: Uint8Array,
): Encoded {
  const {tables} = backend.machine ?? {}
  const session = tables?.sessions.get(readCallQuery(argument).session)?.value
  if (session !== undefined) sessionTimers.renew(session)
  const meta = consistency.meta(tables?.maxIndex('sessions') ?? 0)
  return new Encoded(
    encodeAnswerOf('Sessions', meta, to => {
      // By nil Consul's agents know that there is no such session
      if (session === undefined) to.nil()
      else writeList(to, [session], writeForAny)
    }),
  )
}

const writeForAny = (to: PackWriter, session: Session): void => writeSession(to, session, 'of-any-age')

const sessionsBy = (
  pick: (tables: Tables, query: {readonly session: string; readonly node: string}) => readonly Session[],
): QueryCall => ({
  name: 'Sessions',
  watch: () => [{table: 'sessions'}],
  run: (tables, query) => ({
    index: tables.maxIndex('sessions'),
    write: to => writeList(to, pick(tables, query), writeForAny),
  }),
})

/** The calls that read sessions. */
export const SESSION_QUERIES: Readonly<Record<string, QueryCall>> = {
  'Session.Get': sessionsBy((tables, {session}) => {
    const found = tables.sessions.get(session)?.value
    return found === undefined ? [] : [found]
  }),
  'Session.List': sessionsBy(tables => listed(tables.sessions, '')),
  'Session.NodeSessions': sessionsBy((tables, {node}) => sessionsOf(tables, node)),
}
