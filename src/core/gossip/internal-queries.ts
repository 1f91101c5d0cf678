import type {SerfMember} from '../wire/serf-answers.js'
import {decodeKeyRequest, encodeConflictResponse, encodeKeyResponse} from '../wire/serf-answers.js'
import {utf8} from '../wire/fields.js'
import type {Member} from './member.js'
import type {KeyOperation, KeyringResult} from './messages.js'
import type {AskedQuery, Queries} from './queries.js'
import {QUERY_BYTES_MAX} from './queries.js'
import type {SerfMembers} from './serf-members.js'
import type {StepContext} from './step-context.js'

/** Queries of these names are answered by Serf itself (serf internal_query.go). */
export const INTERNAL_PREFIX = '_serf_'
/** Asks who is known by a name. */
export const CONFLICT_QUERY = `${INTERNAL_PREFIX}conflict`

const KEY_QUERIES: ReadonlyMap<string, KeyOperation> = new Map<string, KeyOperation>([
  [`${INTERNAL_PREFIX}install-key`, 'install'],
  [`${INTERNAL_PREFIX}use-key`, 'use'],
  [`${INTERNAL_PREFIX}remove-key`, 'remove'],
  [`${INTERNAL_PREFIX}list-keys`, 'list'],
])

/** What an answer holds besides its payload, at most: names may be long. */
const ANSWER_HEAD_BYTES = 64 + 256
const MESSAGE_CHARACTERS_MAX = 200

/** The name of the query that asks all members for an operation on their keys. */
export const keyQueryName = (operation: KeyOperation): string =>
  `${INTERNAL_PREFIX}${operation === 'list' ? 'list-keys' : `${operation}-key`}`

/** Answers the queries that Serf puts to itself. Those it does not know stay unanswered. */
export class InternalQueries {
  constructor(
    private readonly context: StepContext,
    private readonly members: SerfMembers,
    private readonly queries: () => Queries,
  ) {}

  /** Takes a query that is for us; false when it is for the application. */
  take({queryId, query}: AskedQuery): boolean {
    if (!query.name.startsWith(INTERNAL_PREFIX)) return false
    if (query.name === CONFLICT_QUERY) this.conflict(queryId, query.payload)
    const operation = KEY_QUERIES.get(query.name)
    if (operation !== undefined) this.changeKeyring(queryId, operation, query.payload)
    return true
  }

  /** What became of a change of our keys. */
  keyringChanged(queryId: number, result: KeyringResult): void {
    const message = result.message.slice(0, MESSAGE_CHARACTERS_MAX)
    const whole = encodeKeyResponse({...result, message})
    if (whole.length <= QUERY_BYTES_MAX - ANSWER_HEAD_BYTES) return void this.queries().answer(queryId, whole)
    // As many keys as fit; the rest is said to be missing
    const each = (result.keys[0]?.length ?? 0) + 2
    const fitting = Math.floor((QUERY_BYTES_MAX - ANSWER_HEAD_BYTES - 400) / each)
    const keys = result.keys.slice(0, fitting)
    const note = `truncated key list response, showing first ${keys.length} of ${result.keys.length} keys`
    this.queries().answer(queryId, encodeKeyResponse({...result, message: note, keys}))
  }

  private conflict(queryId: number, payload: Uint8Array): void {
    const name = utf8(payload)
    // Of our own name we are a party, not a witness
    if (name === undefined || name === this.context.options.name) return
    const member = this.members.get(name)
    this.queries().answer(
      queryId,
      encodeConflictResponse(member === undefined ? undefined : wireMember(member)),
    )
  }

  private changeKeyring(queryId: number, operation: KeyOperation, payload: Uint8Array): void {
    const key = decodeKeyRequest(payload)
    if (!key.ok) {
      this.context.log('warn', `a query for keys makes no sense: ${key.problem}`)
      return
    }
    this.context.emit({do: 'change-keyring', queryId, operation, key: key.value})
  }
}

function wireMember({name, ip, port, tags, status, protocol, delegate}: Member): SerfMember {
  return {
    name,
    ip,
    port,
    tags: new Map(Object.entries(tags)),
    status,
    protocolMin: protocol.min,
    protocolMax: protocol.max,
    protocolCur: protocol.current,
    delegateMin: delegate.min,
    delegateMax: delegate.max,
    delegateCur: delegate.current,
  }
}
