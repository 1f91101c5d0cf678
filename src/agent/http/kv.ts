import {bareEntry, encodeKv} from '../../core/fsm/commands.js'
import {textOf} from '../../core/fsm/byte-string.js'
import {readList} from '../../core/fsm/call-answer.js'
import {foldedKeys, getKv, listKv} from '../../core/fsm/kv.js'
import type {KvEntry} from '../../core/fsm/messages.js'
import {readEntry} from '../../core/fsm/read-records.js'
import type {HttpAnswer} from '../backend.js'
import type {Headers} from './answers.js'
import {Failure, emptyAnswer, jsonAnswer, truthAnswer} from './answers.js'
import type {Context} from './context.js'
import {applied} from './context.js'
import {goText} from './json.js'
import type {ParsedRequest, Query} from './request.js'

/** `/v1/kv/KEY` (`KVSEndpoint`, consul agent/kvs_endpoint.go). */
export function handleKv(context: Context, parsed: ParsedRequest, key: string): Promise<HttpAnswer> {
  const {query} = parsed
  switch (parsed.request.method) {
    case 'GET':
      if (query.has('keys')) return keys(context, parsed, key)
      if (key === '' && !query.has('recurse')) throw new Failure(400, 'Missing key name')
      return query.has('recurse') ? recurse(context, parsed, key) : get(context, parsed, key)
    case 'PUT':
      return put(context, parsed, key)
    default:
      return remove(context, parsed, key)
  }
}

function get(context: Context, parsed: ParsedRequest, key: string): Promise<HttpAnswer> {
  const found = (entry: KvEntry | undefined, meta: Headers): HttpAnswer => {
    if (entry === undefined) return emptyAnswer(404, meta)
    return parsed.query.has('raw') ? rawAnswer(entry, meta) : entriesAnswer([entry], parsed.query, meta)
  }
  return context.consistency.query(parsed, {
    watch: [{key}],
    run: ({tables}) => {
      const {index, entry} = getKv(tables, key)
      return {index, answer: meta => found(entry, meta)}
    },
    there: {
      method: 'KVS.Get',
      asks: {key},
      name: 'Entries',
      read: reader => {
        const [entry] = readList(reader, readEntry)
        return meta => found(entry, meta)
      },
    },
  })
}

function recurse(context: Context, parsed: ParsedRequest, prefix: string): Promise<HttpAnswer> {
  const found = (entries: readonly KvEntry[], meta: Headers): HttpAnswer =>
    entries.length === 0 ? emptyAnswer(404, meta) : entriesAnswer(entries, parsed.query, meta)
  return context.consistency.query(parsed, {
    watch: [{prefix}],
    run: ({tables}) => {
      const {index, entries} = listKv(tables, prefix)
      return {index, answer: meta => found(entries, meta)}
    },
    there: {
      method: 'KVS.List',
      asks: {key: prefix},
      name: 'Entries',
      read: reader => {
        const entries = readList(reader, readEntry)
        return meta => found(entries, meta)
      },
    },
  })
}

function keys(context: Context, parsed: ParsedRequest, prefix: string): Promise<HttpAnswer> {
  const separator = Buffer.from(parsed.query.get('separator')).toString('latin1')
  const found = (names: readonly string[], meta: Headers): HttpAnswer =>
    names.length === 0 ? emptyAnswer(404, meta) : jsonAnswer(names.map(textOf), parsed.query, meta)
  return context.consistency.query(parsed, {
    watch: [{prefix}],
    run: ({tables}) => {
      const {index, entries} = listKv(tables, prefix)
      return {index, answer: meta => found(foldedKeys(entries, prefix.length, separator), meta)}
    },
    there: {
      method: 'KVS.ListKeys',
      asks: {prefix, separator},
      name: 'Keys',
      read: reader => {
        const names = readList(reader, one => one.byteString() ?? '')
        return meta => found(names, meta)
      },
    },
  })
}

async function put(context: Context, parsed: ParsedRequest, key: string): Promise<HttpAnswer> {
  const {query, request} = parsed
  if (key === '') throw new Failure(400, 'Missing key name')
  const conflict = conflicting(query, ['cas', 'acquire', 'release'])
  if (conflict !== undefined) throw new Failure(400, conflict)
  context.consistency.checkDatacenter(query.get('dc'))
  const flags = query.has('flags') ? wholeNumber(query.get('flags')) : 0
  const cas = query.has('cas') ? wholeNumber(query.get('cas')) : 0
  const {kvValueBytesMax} = context.limits()
  if (request.body.length > kvValueBytesMax) throw tooLarge(request.body.length, kvValueBytesMax)
  const elsewhere = await context.consistency.change(request)
  if (elsewhere !== undefined) return elsewhere
  const session = query.get('acquire') || query.get('release')
  const op = query.has('cas')
    ? 'cas'
    : query.has('acquire')
      ? 'lock'
      : query.has('release')
        ? 'unlock'
        : 'set'
  if (op === 'lock' && context.lockDelays.holds(key)) return truthAnswer(false, query)
  const entry: KvEntry = {
    key,
    value: request.body.length === 0 ? null : latin1(request.body),
    flags,
    createIndex: 0,
    modifyIndex: asIndex(cas),
    lockIndex: 0,
    session,
  }
  const result = await applied(context, encodeKv(context.backend.identity.datacenter, op, entry))
  return truthAnswer(op === 'set' || result === true, query)
}

async function remove(context: Context, parsed: ParsedRequest, key: string): Promise<HttpAnswer> {
  const {query, request} = parsed
  const conflict = conflicting(query, ['recurse', 'cas'])
  if (conflict !== undefined) throw new Failure(400, conflict)
  if (key === '' && !query.has('recurse')) throw new Failure(400, 'Missing key name')
  context.consistency.checkDatacenter(query.get('dc'))
  const cas = query.has('cas') ? wholeNumber(query.get('cas')) : 0
  const elsewhere = await context.consistency.change(request)
  if (elsewhere !== undefined) return elsewhere
  const op = query.has('recurse') ? 'delete-tree' : query.has('cas') ? 'delete-cas' : 'delete'
  const entry = {...bareEntry(key), modifyIndex: asIndex(cas)}
  const result = await applied(context, encodeKv(context.backend.identity.datacenter, op, entry))
  return truthAnswer(op !== 'delete-cas' || result === true, query)
}

/** The refusal of a body that is too large for a value. */
export function tooLarge(length: number, most: number): Failure {
  return new Failure(
    413,
    `Request body(${length} bytes) too large, max size: ${most} bytes. ` +
      'See https://www.consul.io/docs/agent/config/config-files#kv_max_value_size.',
  )
}

function conflicting(query: Query, names: readonly string[]): string | undefined {
  return names.filter(name => query.has(name)).length < 2
    ? undefined
    : `Conflicting flags: ${query.encoded()}`
}

/** An unsigned 64-bit number, or Go's refusal of it. */
function wholeNumber(text: string): number | bigint {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : undefined
  if (value === undefined)
    throw new Failure(500, `strconv.ParseUint: parsing ${goText(text)}: invalid syntax`)
  if (value > 0xffff_ffff_ffff_ffffn)
    throw new Failure(500, `strconv.ParseUint: parsing ${goText(text)}: value out of range`)
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
}

/** An index that no entry has stands for all that are too large to be one. */
const asIndex = (value: number | bigint): number =>
  typeof value === 'number' ? value : Number.MAX_SAFE_INTEGER

const latin1 = (body: Uint8Array): string =>
  Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1')

function rawAnswer(entry: KvEntry, meta: Headers): HttpAnswer {
  return {
    status: 200,
    headers: {
      'Content-Type': 'text/plain',
      'Content-Security-Policy': 'sandbox',
      'X-Content-Type-Options': 'nosniff',
      ...meta,
    },
    body: Buffer.from(entry.value ?? '', 'latin1'),
  }
}

function entriesAnswer(entries: readonly KvEntry[], query: Query, meta: Headers): HttpAnswer {
  if (query.has('pretty')) return jsonAnswer(entries.map(entryJson), query, meta)
  let text = '['
  for (const entry of entries) text += (text === '[' ? '' : ',') + entryText(entry)
  return {
    status: 200,
    headers: {'Content-Type': 'application/json', ...meta},
    body: Buffer.from(`${text}]`),
  }
}

/** An entry as JSON text: the busiest answer of all, so it is put together by hand. */
function entryText(entry: KvEntry): string {
  const value = entry.value === null ? 'null' : `"${base64(entry.value)}"`
  const session = entry.session === '' ? '' : `,"Session":${goText(entry.session)}`
  return (
    `{"LockIndex":${entry.lockIndex},"Key":${goText(textOf(entry.key))},"Flags":${entry.flags},` +
    `"Value":${value}${session},"CreateIndex":${entry.createIndex},"ModifyIndex":${entry.modifyIndex}}`
  )
}

/** An entry as the API shows it (`structs.DirEntry`); the session is left out where there is none. */
export function entryJson(entry: KvEntry) {
  return {
    LockIndex: entry.lockIndex,
    Key: textOf(entry.key),
    Flags: entry.flags,
    Value: entry.value === null ? null : base64(entry.value),
    ...(entry.session === '' ? undefined : {Session: entry.session}),
    CreateIndex: entry.createIndex,
    ModifyIndex: entry.modifyIndex,
  }
}

const base64 = (value: string): string => Buffer.from(value, 'latin1').toString('base64')
