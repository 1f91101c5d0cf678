import {deleteKv, putKv} from './kv.js'
import type {ApplyResult, CatalogCheck, Session} from './messages.js'
import type {Change, Tables} from './tables.js'
import {SEPARATOR, nodeKey, partKey} from './tables.js'

const LOCK_DELAY_MAX_NS = 60e9

/** A command on sessions. */
export interface SessionCommand {
  readonly op: string
  readonly session: Session
}

/** Applies a command on sessions (`applySessionOperation`, consul agent/consul/fsm/commands_oss.go). */
export function applySession(change: Change, {op, session}: SessionCommand): ApplyResult {
  if (op === 'create') return createSession(change, session)
  if (op !== 'destroy') return {error: `Invalid session operation '${op}'`}
  destroySession(change, session.id)
  return undefined
}

function createSession(change: Change, wanted: Session): ApplyResult {
  const {tables, index} = change
  if (wanted.id === '') return {error: 'Missing session ID'}
  const behavior = wanted.behavior === '' ? 'release' : wanted.behavior
  if (behavior !== 'release' && behavior !== 'delete') return {error: `Invalid session behavior: ${behavior}`}
  if (tables.nodes.get(nodeKey(wanted.node)) === undefined) return {error: 'Missing node registration'}
  for (const id of boundChecks(wanted)) {
    const check = tables.checks.get(partKey(wanted.node, id))?.value
    if (check === undefined) return {error: `Missing check '${id}' registration`}
    if (check.status === 'critical') return {error: `Check '${id}' is in critical state`}
  }
  tables.putSession({...wanted, behavior, createIndex: index, modifyIndex: index})
  tables.setIndex('sessions', index)
  change.touched.push({table: 'sessions'})
  return wanted.id
}

/**
 * Ends a session: keys that it has locked are released or deleted, as it was made, and cannot be locked again before
 * its lock delay is over (`deleteSessionTxn`, consul agent/consul/state/session.go).
 */
export function destroySession(change: Change, id: string): void {
  const {tables, index} = change
  const session = tables.sessions.delete(id)?.value
  if (session === undefined) return
  tables.nodeSessions.delete(nodeKey(session.node) + SEPARATOR + id)
  tables.setIndex('sessions', index)
  change.touched.push({table: 'sessions'})
  const prefix = id + SEPARATOR
  const keys: string[] = []
  for (const lock of tables.locks.prefixed(prefix)) keys.push(lock.key.slice(prefix.length))
  for (const key of keys) {
    if (session.lockDelayNs > 0)
      change.lockDelays.push({key, delayNs: Math.min(session.lockDelayNs, LOCK_DELAY_MAX_NS)})
    const entry = tables.kv.get(key)
    if (entry === undefined) continue
    if (session.behavior === 'delete') deleteKv(change, key)
    else putKv(change, {...entry, session: ''}, true)
  }
}

/** Ends the sessions of a node; with a check, those that depend on it. */
export function endSessions(change: Change, node: string, check?: Pick<CatalogCheck, 'checkId'>): void {
  for (const session of sessionsOf(change.tables, node)) {
    if (check === undefined || boundChecks(session).includes(check.checkId))
      destroySession(change, session.id)
  }
}

/** The sessions of a node, in the order of their ids. */
export function sessionsOf(tables: Tables, node: string): readonly Session[] {
  const prefix = nodeKey(node) + SEPARATOR
  const sessions: Session[] = []
  for (const {key} of tables.nodeSessions.prefixed(prefix)) {
    const session = tables.sessions.get(key.slice(prefix.length))?.value
    if (session !== undefined) sessions.push(session)
  }
  return sessions
}

const boundChecks = (session: Session): readonly string[] =>
  session.serviceChecks === null ? session.nodeChecks : [...session.nodeChecks, ...session.serviceChecks]
