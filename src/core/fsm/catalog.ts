import type {ApplyResult, CatalogCheck, CatalogNode, CatalogService, Refused} from './messages.js'
import {endSessions} from './sessions.js'
import type {Change, Tables} from './tables.js'
import {LAST_EXTINCTION, SEPARATOR, listed, nodeKey, partKey} from './tables.js'

/** A registration of a node with, as wanted, one service and checks (`RegisterRequest`, consul agent/structs). */
export interface Registration {
  readonly node: CatalogNode
  /** The node is only looked up, not written, when it exists. */
  readonly skipNodeUpdate: boolean
  readonly service: CatalogService | undefined
  readonly checks: readonly CatalogCheck[]
}

/** What to take out of the catalog: a service, a check, or with neither the node. */
export interface Deregistration {
  readonly node: string
  readonly serviceId: string
  readonly checkId: string
}

/** Applies a registration (`ensureRegistrationTxn`, consul agent/consul/state/catalog.go). */
export function register(change: Change, wanted: Registration): ApplyResult {
  const known = change.tables.nodes.get(nodeKey(wanted.node.node))?.value
  if (known === undefined || !wanted.skipNodeUpdate) {
    const problem = putNode(change, wanted.node)
    if (problem !== undefined) return problem
  }
  if (wanted.service !== undefined) {
    const problem = putService(change, {...wanted.service, node: wanted.node.node})
    if (problem !== undefined) return problem
  }
  for (const check of wanted.checks) {
    const problem = putCheck(change, {...check, node: check.node === '' ? wanted.node.node : check.node})
    if (problem !== undefined) return problem
  }
  return undefined
}

/** Applies a deregistration; what is not there needs no taking out. */
export function deregister(change: Change, wanted: Deregistration): ApplyResult {
  if (wanted.serviceId !== '') deleteService(change, wanted.node, wanted.serviceId)
  else if (wanted.checkId !== '') deleteCheck(change, wanted.node, wanted.checkId)
  else deleteNode(change, wanted.node)
  return undefined
}

/** Writes a node; one that comes back under its id with another name takes its old self out first. */
export function putNode(change: Change, wanted: CatalogNode): Refused | undefined {
  const {tables, index} = change
  let old = tables.nodes.get(nodeKey(wanted.node))?.value
  const sameId = wanted.id === '' ? undefined : nodeById(tables, wanted.id)
  if (sameId !== undefined && nodeKey(sameId.node) !== nodeKey(wanted.node)) {
    const problem = idTaken(tables, wanted, old)
    if (problem !== undefined) return problem
    deleteNode(change, sameId.node)
    old = sameId
  } else if (sameId === undefined) {
    const problem = idTaken(tables, wanted, old)
    if (problem !== undefined) return problem
  }
  if (old !== undefined && sameNode(old, wanted)) return undefined
  const node = {
    ...wanted,
    datacenter: wanted.datacenter,
    createIndex: old?.createIndex ?? index,
    modifyIndex: index,
  }
  tables.nodes.set({key: nodeKey(node.node), value: node})
  tables.setIndex('nodes', index)
  change.touched.push({table: 'nodes'})
  touchServices(change, node.node)
  return undefined
}

/** A name belongs to the id that has it for as long as that node is healthy. */
function idTaken(tables: Tables, wanted: CatalogNode, old: CatalogNode | undefined): Refused | undefined {
  if (old === undefined || wanted.id === '' || old.id === '' || old.id === wanted.id) return undefined
  const health = tables.checks.get(partKey(old.node, 'serfHealth'))?.value
  if (health === undefined || health.status === 'critical') return undefined
  return {
    error:
      `failed inserting node: Error while renaming Node ID: "${wanted.id}" (${wanted.address}): ` +
      `Node name ${wanted.node} is reserved by node ${old.id} with name ${old.node} (${old.address})`,
  }
}

function nodeById(tables: Tables, id: string): CatalogNode | undefined {
  for (const {value} of tables.nodes.from('')) if (value.id === id) return value
  return undefined
}

/** Writes a service of a node that is there. */
export function putService(change: Change, wanted: CatalogService): Refused | undefined {
  const {tables, index} = change
  if (tables.nodes.get(nodeKey(wanted.node)) === undefined) return {error: 'Missing node registration'}
  const old = tables.services.get(partKey(wanted.node, wanted.id))?.value
  if (old !== undefined && sameService(old, wanted)) return undefined
  tables.putService({...wanted, createIndex: old?.createIndex ?? index, modifyIndex: index})
  tables.setIndex('services', index)
  tables.setIndex(`service.${wanted.service}`, index)
  if (old !== undefined && old.service !== wanted.service) endOfService(change, old.service)
  change.touched.push({table: 'services'})
  return undefined
}

/** Writes a check of a node that is there; a critical one ends the sessions that depend on it. */
export function putCheck(change: Change, wanted: CatalogCheck): Refused | undefined {
  const {tables, index} = change
  if (tables.nodes.get(nodeKey(wanted.node)) === undefined) return {error: 'Missing node registration'}
  let check = wanted.status === '' ? {...wanted, status: 'critical'} : wanted
  if (check.serviceId !== '') {
    const service = tables.services.get(partKey(check.node, check.serviceId))?.value
    if (service === undefined) return {error: 'Missing service registration'}
    check = {...check, serviceName: service.service, serviceTags: service.tags}
  }
  if (check.status === 'critical') endSessions(change, check.node, check)
  const key = partKey(check.node, check.checkId)
  const old = tables.checks.get(key)?.value
  if (old !== undefined && sameCheck(old, check)) return undefined
  tables.checks.set({key, value: {...check, createIndex: old?.createIndex ?? index, modifyIndex: index}})
  touchCheck(change, check)
  return undefined
}

/** Takes a node out with its services, checks and sessions. */
export function deleteNode(change: Change, name: string): void {
  const {tables, index} = change
  const node = tables.nodes.get(nodeKey(name))?.value
  if (node === undefined) return
  for (const service of listed(tables.services, nodeKey(name) + SEPARATOR))
    deleteService(change, name, service.id)
  for (const check of listed(tables.checks, nodeKey(name) + SEPARATOR))
    deleteCheck(change, name, check.checkId)
  tables.nodes.delete(nodeKey(name))
  tables.setIndex('nodes', index)
  change.touched.push({table: 'nodes'})
  endSessions(change, name)
}

/** Takes a service out with its checks. */
export function deleteService(change: Change, node: string, id: string): void {
  const {tables, index} = change
  const service = tables.services.get(partKey(node, id))?.value
  if (service === undefined) return
  for (const check of listed(tables.checks, nodeKey(node) + SEPARATOR))
    if (check.serviceId === id) deleteCheck(change, node, check.checkId)
  tables.removeService(service)
  tables.setIndex('services', index)
  tables.setIndex(`service.${service.service}`, index)
  endOfService(change, service.service)
  change.touched.push({table: 'services'})
}

/** Takes a check out; the sessions that depend on it end. */
export function deleteCheck(change: Change, node: string, id: string): void {
  const check = change.tables.checks.delete(partKey(node, id))?.value
  if (check === undefined) return
  touchCheck(change, check)
  endSessions(change, node, check)
}

/** With its last instance a service loses its own index; who waits for it waits on the last extinction. */
function endOfService({tables, index}: Change, name: string): void {
  for (const _ of tables.serviceNames.prefixed(name + SEPARATOR)) return
  tables.indexes.delete(`service.${name}`)
  tables.setIndex(LAST_EXTINCTION, index)
}

function touchCheck(change: Change, check: CatalogCheck): void {
  change.tables.setIndex('checks', change.index)
  change.touched.push({table: 'checks'})
  if (check.serviceId === '') touchServices(change, check.node)
  else change.tables.setIndex(`service.${check.serviceName}`, change.index)
}

/** What is true of a node is part of what is told of each of its services. */
function touchServices({tables, index}: Change, node: string): void {
  for (const service of listed(tables.services, nodeKey(node) + SEPARATOR))
    tables.setIndex(`service.${service.service}`, index)
}

/** The index to wait on for a service: its own, or without an instance that of the last extinction. */
export function serviceIndex(tables: Tables, name: string, withChecks: boolean): number {
  for (const _ of tables.serviceNames.prefixed(name + SEPARATOR)) {
    const own = tables.index(`service.${name}`)
    if (own !== undefined) return own
  }
  return (
    tables.index(LAST_EXTINCTION) ??
    (withChecks ? tables.maxIndex('nodes', 'services', 'checks') : tables.maxIndex('nodes', 'services'))
  )
}

/** The instances of a service with their nodes, by node. */
export function serviceInstances(
  tables: Tables,
  name: string,
): readonly {readonly node: CatalogNode; readonly service: CatalogService}[] {
  const prefix = name + SEPARATOR
  const instances: {node: CatalogNode; service: CatalogService}[] = []
  for (const {key} of tables.serviceNames.prefixed(prefix)) {
    const service = tables.services.get(key.slice(prefix.length))?.value
    const node = service === undefined ? undefined : tables.nodes.get(nodeKey(service.node))?.value
    if (service !== undefined && node !== undefined) instances.push({node, service})
  }
  return instances
}

const same = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b)
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  ) ?? ''

const unIndexed = <T extends object>(value: T) => ({...value, createIndex: 0, modifyIndex: 0})
const sameNode = (a: CatalogNode, b: CatalogNode): boolean =>
  a.node === b.node &&
  a.id === b.id &&
  a.address === b.address &&
  same(a.taggedAddresses ?? {}, b.taggedAddresses ?? {}) &&
  same(a.meta ?? {}, b.meta ?? {})
const sameService = (a: CatalogService, b: CatalogService): boolean => same(unIndexed(a), unIndexed(b))
const sameCheck = (a: CatalogCheck, b: CatalogCheck): boolean => same(unIndexed(a), unIndexed(b))
