import type {CatalogCheck, CatalogNode, CatalogService, TextMap} from './messages.js'
import {PackReader} from './pack-reader.js'
import {PackWriter} from './pack-writer.js'
import {eachPair, NO_NODE, NO_SERVICE, readCheck, readNode, readService} from './read-records.js'
import {readServiceAddresses, readWeights} from './read-records.js'
import {writeCheck, writeNode, writeService} from './write-records.js'
import {writeServiceAddresses, writeWeights} from './write-records.js'

/** What every answer to a query tells about itself (`QueryMeta`, consul agent/structs/structs.go). */
export interface AnswerMeta {
  /** The index to wait on. */
  readonly index: number
  /** Milliseconds since the server that answered heard of the leader. */
  readonly lastContactMs: number
  readonly knownLeader: boolean
}

/** An instance of a service with its node and the checks that concern it (`CheckServiceNode`). */
export interface CheckedService {
  readonly node: CatalogNode
  readonly service: CatalogService
  readonly checks: readonly CatalogCheck[]
}

/** A node with all its services (`NodeServices`). */
export interface NodeServices {
  readonly node: CatalogNode
  readonly services: readonly CatalogService[]
}

const NS_PER_MS = 1e6

/** An answer to a query: what `write` writes stands under `name`. */
export function encodeAnswerOf(
  name: string,
  {index, lastContactMs, knownLeader}: AnswerMeta,
  write: (to: PackWriter) => void,
): Uint8Array {
  const to = new PackWriter(1024)
  to.mapHead(4).byteString('Index').integer(index)
  to.byteString('KnownLeader').boolean(knownLeader)
  to.byteString('LastContact').integer(Math.round(lastContactMs * NS_PER_MS))
  write(to.byteString(name))
  return to.finish()
}

/** Reads an answer to a query; `read` is given what stands under `name`. Throws `PackProblem` on other bytes. */
export function readAnswerOf(
  bytes: Uint8Array,
  name: string,
  read: (reader: PackReader) => void,
): AnswerMeta {
  const reader = new PackReader(bytes)
  let [index, lastContactMs, knownLeader] = [0, 0, false]
  eachPair(reader, key => {
    if (key === 'Index') index = reader.number()
    else if (key === 'LastContact') lastContactMs = reader.number() / NS_PER_MS
    else if (key === 'KnownLeader') knownLeader = reader.boolean()
    else if (key === name) read(reader)
    else reader.skip()
  })
  return {index, lastContactMs, knownLeader}
}

/** Writes a list, each item by `write`. */
export function writeList<T>(
  to: PackWriter,
  items: readonly T[],
  write: (to: PackWriter, item: T) => void,
): void {
  to.arrayHead(items.length)
  for (const item of items) write(to, item)
}

/** Reads a list, each item by `read`; nil is an empty one. */
export function readList<T>(reader: PackReader, read: (reader: PackReader) => T): readonly T[] {
  const items: T[] = []
  for (let left = reader.arrayHead() ?? 0; left > 0; left--) items.push(read(reader))
  return items
}

/** Writes a `structs.CheckServiceNode`. */
export function writeCheckedService(to: PackWriter, {node, service, checks}: CheckedService): void {
  to.mapHead(3).byteString('Checks')
  writeList(to, checks, writeCheck)
  writeNode(to.byteString('Node'), node)
  writeService(to.byteString('Service'), service)
}

/** Reads a `structs.CheckServiceNode`. */
export function readCheckedService(reader: PackReader): CheckedService {
  let node = NO_NODE
  let service = NO_SERVICE
  let checks: readonly CatalogCheck[] = []
  eachPair(reader, key => {
    if (key === 'Node') node = readNode(reader)
    else if (key === 'Service') service = readService(reader)
    else if (key === 'Checks') checks = readList(reader, readCheck)
    else reader.skip()
  })
  return {node, service: {...service, node: node.node}, checks}
}

/** Writes a `structs.NodeServices`, whose services stand under their ids; nil for a node that is not there. */
export function writeNodeServices(to: PackWriter, found: NodeServices | undefined, listed: boolean): void {
  if (found === undefined) return void to.nil()
  writeNode(to.mapHead(2).byteString('Node'), found.node)
  to.byteString('Services')
  if (listed) return writeList(to, found.services, writeService)
  to.mapHead(found.services.length)
  for (const service of found.services) writeService(to.text(service.id), service)
}

/** Reads a `structs.NodeServices`; undefined for nil. */
export function readNodeServices(reader: PackReader): NodeServices | undefined {
  if (reader.peekNil()) return undefined
  let node = NO_NODE
  const services: CatalogService[] = []
  eachPair(reader, key => {
    if (key === 'Node') node = readNode(reader)
    else if (key === 'Services') eachPair(reader, () => services.push(readService(reader)))
    else reader.skip()
  })
  return {node, services: services.map(service => ({...service, node: node.node}))}
}

/** Writes a `structs.ServiceNode`: a service with its node in one map. */
export function writeServiceNode(
  to: PackWriter,
  {node, service}: {readonly node: CatalogNode; readonly service: CatalogService},
): void {
  to.mapHead(18)
  to.byteString('Address').text(node.address)
  to.byteString('CreateIndex').integer(service.createIndex)
  to.byteString('Datacenter').text(node.datacenter)
  to.byteString('ID').text(node.id)
  to.byteString('ModifyIndex').integer(service.modifyIndex)
  to.byteString('Node').text(node.node)
  to.byteString('NodeMeta').textMap(node.meta)
  to.byteString('ServiceAddress').text(service.address)
  to.byteString('ServiceEnableTagOverride').boolean(service.enableTagOverride)
  to.byteString('ServiceID').text(service.id)
  to.byteString('ServiceKind').text(service.kind)
  to.byteString('ServiceMeta').textMap(service.meta)
  to.byteString('ServiceName').text(service.service)
  to.byteString('ServicePort').integer(service.port)
  writeServiceAddresses(to.byteString('ServiceTaggedAddresses'), service)
  to.byteString('ServiceTags').texts(service.tags)
  writeWeights(to.byteString('ServiceWeights'), service)
  to.byteString('TaggedAddresses').textMap(node.taggedAddresses)
}

/** Reads a `structs.ServiceNode`; the node's own indexes are not part of it. */
export function readServiceNode(reader: PackReader): {
  readonly node: CatalogNode
  readonly service: CatalogService
} {
  const node: Mutable<CatalogNode> = {...NO_NODE}
  const service: Mutable<CatalogService> = {...NO_SERVICE}
  eachPair(reader, key => {
    if (key === 'Address') node.address = reader.text()
    else if (key === 'Datacenter') node.datacenter = reader.text()
    else if (key === 'ID') node.id = reader.text()
    else if (key === 'Node') node.node = service.node = reader.text()
    else if (key === 'NodeMeta') node.meta = reader.textMap()
    else if (key === 'TaggedAddresses') node.taggedAddresses = reader.textMap()
    else if (key === 'CreateIndex') service.createIndex = reader.number()
    else if (key === 'ModifyIndex') service.modifyIndex = reader.number()
    else if (key === 'ServiceAddress') service.address = reader.text()
    else if (key === 'ServiceEnableTagOverride') service.enableTagOverride = reader.boolean()
    else if (key === 'ServiceID') service.id = reader.text()
    else if (key === 'ServiceKind') service.kind = reader.text()
    else if (key === 'ServiceMeta') service.meta = reader.textMap()
    else if (key === 'ServiceName') service.service = reader.text()
    else if (key === 'ServicePort') service.port = reader.number()
    else if (key === 'ServiceTaggedAddresses') service.taggedAddresses = readServiceAddresses(reader)
    else if (key === 'ServiceTags') service.tags = reader.texts()
    else if (key === 'ServiceWeights') service.weights = readWeights(reader)
    else reader.skip()
  })
  return {node, service}
}

type Mutable<T> = {-readonly [K in keyof T]: T[K]}

/** Writes every service with the tags of its instances. */
export function writeTagsByService(
  to: PackWriter,
  services: Readonly<Record<string, readonly string[]>>,
): void {
  const names = Object.keys(services).sort()
  to.mapHead(names.length)
  for (const name of names) to.text(name).texts(services[name] ?? [])
}

/** Reads every service with the tags of its instances. */
export function readTagsByService(reader: PackReader): Readonly<Record<string, readonly string[]>> {
  const services: Record<string, readonly string[]> = Object.create(null) as never
  eachPair(reader, name => {
    services[name] = reader.texts() ?? []
  })
  return services
}

/** Whether a map has all these pairs. */
export const hasPairs = (map: TextMap | null, wanted: TextMap | null): boolean =>
  Object.entries(wanted ?? {}).every(([key, value]) => map?.[key] === value)
