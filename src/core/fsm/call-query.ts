import type {TextMap} from './messages.js'
import {PackReader} from './pack-reader.js'
import {PackWriter} from './pack-writer.js'
import {eachPair} from './read-records.js'

/**
 * The argument of a call that only asks, of all those that Consul's servers answer (`QueryOptions` and the request
 * structs around it, consul agent/structs/structs.go). What a call has not is empty.
 */
export interface CallQuery {
  readonly datacenter: string
  /** Answer only when the index is higher; 0 to answer at once. */
  readonly minIndex: number
  /** How long that may take; 0 leaves it to the server. */
  readonly maxWaitMs: number
  readonly stale: boolean
  readonly consistent: boolean
  /** An expression that a server of Consul 1.5 or later picks by. */
  readonly filter: string
  /** Byte strings, as the separator. */
  readonly key: string
  readonly prefix: string
  readonly separator: string
  readonly node: string
  readonly nodeMeta: TextMap | null
  readonly service: string
  /** All of them are wanted; older callers know one only. */
  readonly tags: readonly string[]
  readonly state: string
  readonly session: string
}

/** A query that asks for nothing in particular. */
export const NO_QUERY: CallQuery = {
  datacenter: '',
  minIndex: 0,
  maxWaitMs: 0,
  stale: false,
  consistent: false,
  filter: '',
  key: '',
  prefix: '',
  separator: '',
  node: '',
  nodeMeta: null,
  service: '',
  tags: [],
  state: '',
  session: '',
}

const NS_PER_MS = 1e6

/** Reads the argument of a call; throws `PackProblem` on other bytes. */
export function readCallQuery(bytes: Uint8Array): CallQuery {
  const reader = new PackReader(bytes)
  const query: {-readonly [K in keyof CallQuery]: CallQuery[K]} = {...NO_QUERY}
  let [tag, byTag] = ['', false]
  eachPair(reader, key => {
    if (key === 'Datacenter') query.datacenter = reader.text()
    else if (key === 'MinQueryIndex') query.minIndex = reader.number()
    else if (key === 'MaxQueryTime') query.maxWaitMs = reader.number() / NS_PER_MS
    else if (key === 'AllowStale') query.stale = reader.boolean()
    else if (key === 'RequireConsistent') query.consistent = reader.boolean()
    else if (key === 'Filter') query.filter = reader.text()
    else if (key === 'Key') query.key = reader.byteString() ?? ''
    else if (key === 'Prefix') query.prefix = reader.byteString() ?? ''
    else if (key === 'Seperator') query.separator = reader.byteString() ?? ''
    else if (key === 'Node') query.node = reader.text()
    else if (key === 'NodeMetaFilters') query.nodeMeta = reader.textMap()
    else if (key === 'ServiceName') query.service = reader.text()
    else if (key === 'ServiceTag') tag = reader.text()
    else if (key === 'ServiceTags') query.tags = reader.texts() ?? []
    else if (key === 'TagFilter') byTag = reader.boolean()
    else if (key === 'State') query.state = reader.text()
    // Up to Consul 1.6 `Session` is the id; later it is there for older servers, beside `SessionID`
    else if (key === 'SessionID' || key === 'Session') query.session = reader.text() || query.session
    else reader.skip()
  })
  if (!byTag) query.tags = []
  else if (query.tags.length === 0 && tag !== '') query.tags = [tag]
  return query
}

/** The argument of a call, for servers of every age. */
export function encodeCallQuery(query: CallQuery): Uint8Array {
  const to = new PackWriter(384)
  to.mapHead(18)
  to.byteString('AllowStale').boolean(query.stale)
  to.byteString('Datacenter').text(query.datacenter)
  to.byteString('Key').byteString(query.key)
  to.byteString('MaxQueryTime').integer(Math.round(query.maxWaitMs * NS_PER_MS))
  to.byteString('MinQueryIndex').integer(query.minIndex)
  to.byteString('Node').text(query.node)
  to.byteString('NodeMetaFilters').textMap(query.nodeMeta)
  to.byteString('Prefix').byteString(query.prefix)
  to.byteString('RequireConsistent').boolean(query.consistent)
  to.byteString('Seperator').byteString(query.separator)
  to.byteString('ServiceName').text(query.service)
  to.byteString('ServiceTag').text(query.tags[0] ?? '')
  to.byteString('ServiceTags').texts(query.tags)
  to.byteString('Session').text(query.session)
  to.byteString('SessionID').text(query.session)
  to.byteString('State').text(query.state)
  to.byteString('TagFilter').boolean(query.tags.length > 0)
  return to.byteString('Token').text('').finish()
}
