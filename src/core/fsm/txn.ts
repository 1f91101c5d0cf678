import {deleteCheck, deleteNode, deleteService, putCheck, putNode, putService} from './catalog.js'
import {byteStringOfText, textOf} from './byte-string.js'
import {deleteCas, deleteKv, deleteTree, lock, lockEntry, putCas, putKv, unlock, unlockEntry} from './kv.js'
import type {
  CatalogCheck,
  CatalogNode,
  CatalogService,
  KvEntry,
  Refused,
  TxnOutcome,
  TxnProblem,
  TxnResult,
} from './messages.js'
import type {PackReader} from './pack-reader.js'
import {eachPair, NO_ENTRY, readCheck, readEntry, readRegistration, readService} from './read-records.js'
import type {Change} from './tables.js'
import {nodeKey, partKey} from './tables.js'

/** One operation of a transaction. */
export type TxnOperation =
  | {readonly verb: string; readonly kv: KvEntry}
  | {readonly verb: string; readonly node: CatalogNode}
  | {readonly verb: string; readonly service: CatalogService}
  | {readonly verb: string; readonly check: CatalogCheck}

/**
 * Does all operations in order (`TxnRW`, consul agent/consul/state/txn.go). When the outcome has errors the caller
 * must throw the change away.
 */
export function applyTxn(change: Change, operations: readonly TxnOperation[]): TxnOutcome {
  const results: TxnResult[] = []
  const errors: TxnProblem[] = []
  operations.forEach((operation, opIndex) => {
    const problem = applyOperation(change, operation, results)
    if (problem !== undefined) errors.push({opIndex, what: problem})
  })
  return errors.length > 0 ? {results: [], errors} : {results, errors: []}
}

function applyOperation(change: Change, operation: TxnOperation, results: TxnResult[]): string | undefined {
  if ('kv' in operation) return applyKvOperation(change, operation.verb, operation.kv, results)
  if ('node' in operation) return applyNodeOperation(change, operation.verb, operation.node, results)
  if ('service' in operation) return applyServiceOperation(change, operation.verb, operation.service, results)
  return applyCheckOperation(change, operation.verb, operation.check, results)
}

const quoted = (byteString: string): string => JSON.stringify(textOf(byteString))

function applyKvOperation(
  change: Change,
  verb: string,
  entry: KvEntry,
  results: TxnResult[],
): string | undefined {
  const {tables} = change
  const give = (kv: KvEntry, withValue = false): undefined => void results.push({kv, withValue})
  const there = tables.kv.get(entry.key)
  const name = quoted(entry.key)
  switch (verb) {
    case 'set':
      return give(putKv(change, entry, false))
    case 'delete':
      return deleteKv(change, entry.key) as undefined
    case 'delete-cas':
      return deleteCas(change, entry) ? undefined : `failed to delete key ${name}, index is stale`
    case 'delete-tree':
      return deleteTree(change, entry.key) as undefined
    case 'cas': {
      const put = putCas(change, entry)
      return put === undefined ? `failed to set key ${name}, index is stale` : give(put)
    }
    case 'lock': {
      const locked = lockEntry(change, entry)
      if (locked !== undefined) return give(locked)
      const why = lock(change, entry)
      return typeof why === 'object' ? why.error : `failed to lock key ${name}, lock is already held`
    }
    case 'unlock': {
      const unlocked = unlockEntry(change, entry)
      if (unlocked !== undefined) return give(unlocked)
      const why = unlock(change, entry)
      return typeof why === 'object'
        ? why.error
        : `failed to unlock key ${name}, lock isn't held, or is held by another session`
    }
    case 'get':
      return there === undefined ? `key ${name} doesn't exist` : give(there, true)
    case 'get-or-empty':
      return give(there ?? {...entry, value: null}, true)
    case 'get-tree':
      for (const one of tables.kv.prefixed(entry.key)) give(one, true)
      return undefined
    case 'check-session':
      if (there === undefined) return `failed to check session, key ${name} doesn't exist`
      if (there.session === entry.session) return give(there)
      return (
        `failed session check for key ${name}, current session ` +
        `${quoted(byteStringOfText(there.session))} != ${quoted(byteStringOfText(entry.session))}`
      )
    case 'check-index':
      if (there === undefined) return `failed to check index, key ${name} doesn't exist`
      if (there.modifyIndex === entry.modifyIndex) return give(there)
      return (
        `failed index check for key ${name}, current modify index ` +
        `${there.modifyIndex} != ${entry.modifyIndex}`
      )
    case 'check-not-exists':
      return there === undefined ? undefined : `key ${name} exists`
    default:
      return `unknown KV verb ${quoted(byteStringOfText(verb))}`
  }
}

/** What the verbs of nodes, services and checks have in common. */
interface Part {
  readonly kind: string
  readonly name: string
  readonly wantedIndex: number
  readonly there: {readonly modifyIndex: number} | undefined
  put(): Refused | undefined
  remove(): void
  give(): void
}

function applyPart(verb: string, part: Part): string | undefined {
  const index = part.there?.modifyIndex ?? 0
  const put = (): string | undefined => {
    const problem = part.put()
    if (problem !== undefined) return problem.error
    return part.give() as undefined
  }
  switch (verb) {
    case 'get':
      return part.there === undefined ? `${part.kind} ${part.name} doesn't exist` : (part.give() as undefined)
    case 'set':
      return put()
    case 'cas':
      return index === part.wantedIndex ? put() : `failed to set ${part.kind} ${part.name}, index is stale`
    case 'delete':
      return part.remove() as undefined
    case 'delete-cas':
      return index === part.wantedIndex
        ? (part.remove() as undefined)
        : `failed to delete ${part.kind} ${part.name}, index is stale`
    default:
      return `unknown ${part.kind} verb ${JSON.stringify(verb)}`
  }
}

function applyNodeOperation(change: Change, verb: string, node: CatalogNode, results: TxnResult[]) {
  const find = () => change.tables.nodes.get(nodeKey(node.node))?.value
  return applyPart(verb, {
    kind: 'node',
    name: JSON.stringify(node.node),
    wantedIndex: node.modifyIndex,
    there: find(),
    put: () => putNode(change, node),
    remove: () => deleteNode(change, node.node),
    give: () => void results.push({node: find() ?? node}),
  })
}

function applyServiceOperation(change: Change, verb: string, service: CatalogService, results: TxnResult[]) {
  const find = () => change.tables.services.get(partKey(service.node, service.id))?.value
  return applyPart(verb, {
    kind: 'service',
    name: `${JSON.stringify(service.id)} on node ${JSON.stringify(service.node)}`,
    wantedIndex: service.modifyIndex,
    there: find(),
    put: () => putService(change, service),
    remove: () => deleteService(change, service.node, service.id),
    give: () => void results.push({service: find() ?? service}),
  })
}

function applyCheckOperation(change: Change, verb: string, check: CatalogCheck, results: TxnResult[]) {
  const find = () => change.tables.checks.get(partKey(check.node, check.checkId))?.value
  return applyPart(verb, {
    kind: 'check',
    name: `${JSON.stringify(check.checkId)} on node ${JSON.stringify(check.node)}`,
    wantedIndex: check.modifyIndex,
    there: find(),
    put: () => putCheck(change, check),
    remove: () => deleteCheck(change, check.node, check.checkId),
    give: () => void results.push({check: find() ?? check}),
  })
}

/** `structs.TxnRequest`; operations of kinds that are not ours are refused by their verb. */
export function readTxn(reader: PackReader): readonly TxnOperation[] {
  const operations: TxnOperation[] = []
  eachPair(reader, key => {
    if (key !== 'Ops') return reader.skip()
    for (let left = reader.arrayHead() ?? 0; left > 0; left--) operations.push(readOperation(reader))
  })
  return operations
}

function readOperation(reader: PackReader): TxnOperation {
  let operation: TxnOperation | undefined
  eachPair(reader, kind => {
    if (reader.peekNil()) return
    let verb = ''
    let part: TxnPart | undefined
    let node = ''
    eachPair(reader, key => {
      if (key === 'Verb') verb = reader.text()
      else if (kind === 'KV' && key === 'DirEnt') part = {kv: readEntry(reader)}
      else if (kind === 'Node' && key === 'Node') part = {node: readRegistration(reader).node}
      else if (kind === 'Service' && key === 'Service') part = {service: readService(reader)}
      else if (kind === 'Service' && key === 'Node') node = reader.text()
      else if (kind === 'Check' && key === 'Check') part = {check: readCheck(reader)}
      else reader.skip()
    })
    if (part === undefined) return
    operation = 'service' in part ? {verb, service: {...part.service, node}} : {verb, ...part}
  })
  return operation ?? {verb: 'unknown', kv: NO_ENTRY}
}

type TxnPart = {kv: KvEntry} | {node: CatalogNode} | {service: CatalogService} | {check: CatalogCheck}
