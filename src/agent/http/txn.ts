import {bareEntry, encodeTxn} from '../../core/fsm/commands.js'
import {byteStringOfText} from '../../core/fsm/byte-string.js'
import type {KvEntry, TxnOutcome, TxnProblem, TxnResult} from '../../core/fsm/messages.js'
import type {TxnOperation} from '../../core/fsm/txn.js'
import {applyTxn} from '../../core/fsm/txn.js'
import type {HttpAnswer} from '../backend.js'
import {Failure, jsonAnswer} from './answers.js'
import type {Fields} from './body.js'
import {readFields} from './body.js'
import {readCheck, readNode, readService} from './catalog.js'
import {checkJson, nodeJson, serviceJson} from './catalog-json.js'
import type {Context} from './context.js'
import {applied} from './context.js'
import {parseJson} from './json.js'
import {entryJson} from './kv.js'
import type {ParsedRequest} from './request.js'

/** Most operations in one transaction (`maxTxnOps`, consul agent/txn_endpoint.go). */
const OPERATIONS_MAX = 128
const WRITES = new Set(['set', 'cas', 'lock', 'unlock', 'delete', 'delete-cas', 'delete-tree'])

/** `PUT /v1/txn` (`Txn`, consul agent/txn_endpoint.go). */
export async function handleTxn(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const {consistency, backend, limits} = context
  const operations = readOperations(parsed, backend.identity.datacenter, limits().txnBytesMax)
  const writes = operations.some(operation => !('kv' in operation) || WRITES.has(operation.verb))
  if (!writes && !consistency.asksThere()) return readOnly(context, parsed, operations)
  consistency.checkDatacenter(parsed.query.get('dc'))
  const elsewhere = await consistency.change(parsed.request)
  if (elsewhere !== undefined) return elsewhere
  const errors = txnProblems(context, operations)
  if (errors.length > 0) return outcomeAnswer({results: [], errors}, parsed)
  const result = await applied(context, encodeTxn(backend.identity.datacenter, operations))
  return outcomeAnswer(result as TxnOutcome, parsed)
}

/** A transaction that changes nothing needs no entry in the log. */
function readOnly(
  context: Context,
  parsed: ParsedRequest,
  operations: readonly TxnOperation[],
): Promise<HttpAnswer> {
  return context.consistency.query(parsed, {
    watch: [],
    run: ({tables}) => {
      const errors = operations.flatMap((operation, opIndex) => missingKey(operation, opIndex))
      const change = {tables, index: 0, touched: [], lockDelays: []}
      const outcome = errors.length > 0 ? {results: [], errors} : applyTxn(change, operations)
      return {
        index: 0,
        answer: meta => {
          const headers = {
            'X-Consul-Knownleader': meta['X-Consul-Knownleader'] ?? '',
            'X-Consul-Lastcontact': meta['X-Consul-Lastcontact'] ?? '',
          }
          return outcomeAnswer(outcome, parsed, headers)
        },
      }
    },
  })
}

/** What is wrong with operations before they are done. */
export function txnProblems(context: Context, operations: readonly TxnOperation[]): readonly TxnProblem[] {
  return operations.flatMap((operation, opIndex) => {
    const missing = missingKey(operation, opIndex)
    if (missing.length > 0) return missing
    return 'kv' in operation && operation.verb === 'lock' && context.lockDelays.holds(operation.kv.key)
      ? [{opIndex, what: `lock is not available due to a lock delay`}]
      : []
  })
}

function missingKey(operation: TxnOperation, opIndex: number): readonly TxnProblem[] {
  const mayBeEmpty = operation.verb === 'delete-tree' || operation.verb === 'get-tree'
  return 'kv' in operation && operation.kv.key === '' && !mayBeEmpty
    ? [{opIndex, what: 'Must provide key'}]
    : []
}

function outcomeAnswer(
  {results, errors}: TxnOutcome,
  {query}: ParsedRequest,
  read?: Readonly<Record<string, string>>,
): HttpAnswer {
  const failed = errors.length > 0
  const json = {
    Results: failed ? null : results.map(resultJson),
    Errors: failed ? errors.map(({opIndex, what}) => ({OpIndex: opIndex, What: what})) : null,
    ...(read === undefined
      ? undefined
      : {
          Index: 1,
          LastContact: Number(read['X-Consul-Lastcontact']),
          KnownLeader: read['X-Consul-Knownleader'] === 'true',
          ConsistencyLevel: '',
          NotModified: false,
          Backend: 0,
          ResultsFilteredByACLs: false,
        }),
  }
  return jsonAnswer(json, query, read, failed ? 409 : 200)
}

function resultJson(result: TxnResult) {
  if ('kv' in result) return {KV: entryJson(result.withValue ? result.kv : {...result.kv, value: null})}
  if ('node' in result) return {Node: nodeJson(result.node)}
  return 'service' in result ? {Service: serviceJson(result.service)} : {Check: checkJson(result.check)}
}

function readOperations(
  {request}: ParsedRequest,
  datacenter: string,
  bytesMax: number,
): readonly TxnOperation[] {
  const json = parseJson(request.body)
  if ('problem' in json) throw new Failure(400, `Failed to parse body: ${json.problem}`)
  if (!Array.isArray(json.value))
    throw new Failure(400, 'Failed to parse body: json: cannot unmarshal into Go value of type api.TxnOps')
  const list = json.value as readonly unknown[]
  if (list.length > OPERATIONS_MAX)
    throw new Failure(413, `Transaction contains too many operations (${list.length} > ${OPERATIONS_MAX})`)
  let size = 0
  const operations = list.flatMap(item => {
    const operation = readOperation(readFields(item), datacenter)
    if (operation === undefined) return []
    if ('kv' in operation) size += operation.kv.value?.length ?? 0
    return [operation]
  })
  if (size > bytesMax)
    throw new Failure(
      413,
      `Cumulative size of key data exceeds txn size limit. Current size: ${size}. Limit: ${bytesMax}`,
    )
  return operations
}

function readOperation(fields: Fields, datacenter: string): TxnOperation | undefined {
  const part = (name: string) => fields.object(name)
  if (fields.has('KV')) return {verb: part('KV').text('Verb').toLowerCase(), kv: readEntry(part('KV'))}
  if (fields.has('Node'))
    return {
      verb: part('Node').text('Verb').toLowerCase(),
      node: readNode(part('Node').object('Node'), 'Meta', datacenter),
    }
  if (fields.has('Service'))
    return {
      verb: part('Service').text('Verb').toLowerCase(),
      service: readService(part('Service').object('Service'), part('Service').text('Node')),
    }
  if (fields.has('Check'))
    return {
      verb: part('Check').text('Verb').toLowerCase(),
      check: readCheck(part('Check').object('Check'), ''),
    }
  return undefined
}

function readEntry(fields: Fields): KvEntry {
  const value = fields.value('Value')
  return {
    ...bareEntry(byteStringOfText(fields.text('Key'))),
    value: value === undefined || value === '' ? null : decoded(String(value)),
    flags: unsigned(fields, 'Flags'),
    modifyIndex: unsigned(fields, 'Index'),
    session: fields.text('Session'),
  }
}

/** A number that must be whole: what is none, or would lose digits here, is refused and not made another. */
function unsigned(fields: Fields, name: string): number {
  const value = fields.value(name) ?? 0
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  const kind = typeof value === 'number' ? `number ${value}` : typeof value
  throw new Failure(
    400,
    `Failed to parse body: json: cannot unmarshal ${kind} into Go struct field KVTxnOp.${name} of type uint64`,
  )
}

function decoded(text: string): string {
  const wrong = /[^A-Za-z0-9+/=\r\n]/.exec(text)?.index
  if (wrong !== undefined)
    throw new Failure(400, `Failed to parse body: illegal base64 data at input byte ${wrong}`)
  return Buffer.from(text, 'base64').toString('latin1')
}
