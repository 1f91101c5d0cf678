import type {CheckedService, NodeServices} from './call-answer.js'
import {hasPairs} from './call-answer.js'
import {serviceInstances} from './catalog.js'
import type {CatalogCheck, CatalogNode, CatalogService, TextMap} from './messages.js'
import type {Tables} from './tables.js'
import {SEPARATOR, listed, nodeKey} from './tables.js'

/** The nodes that have all these pairs in their meta. */
export const nodesWith = (tables: Tables, meta: TextMap | null): readonly CatalogNode[] =>
  listed(tables.nodes, '').filter(node => hasPairs(node.meta, meta))

/** Every service with all tags of its instances, on nodes that have all these pairs in their meta. */
export function tagsByService(
  tables: Tables,
  meta: TextMap | null,
): Readonly<Record<string, readonly string[]>> {
  const tags = new Map<string, Set<string>>()
  for (const {value} of tables.services.from('')) {
    if (meta !== null && !hasPairs(tables.nodes.get(nodeKey(value.node))?.value.meta ?? null, meta)) continue
    const own = tags.get(value.service) ?? new Set()
    for (const tag of value.tags ?? []) own.add(tag)
    tags.set(value.service, own)
  }
  return Object.fromEntries([...tags].map(([name, own]) => [name, [...own].sort()]))
}

/** A node with its services; undefined when it is not there. */
export function nodeServices(tables: Tables, name: string): NodeServices | undefined {
  const node = tables.nodes.get(nodeKey(name))?.value
  return node && {node, services: listed(tables.services, nodeKey(name) + SEPARATOR)}
}

/** The instances of a service that have all these tags. */
export const instancesWith = (
  tables: Tables,
  name: string,
  tags: readonly string[],
): readonly {readonly node: CatalogNode; readonly service: CatalogService}[] =>
  serviceInstances(tables, name).filter(({service}) =>
    tags.every(tag => service.tags?.includes(tag) === true),
  )

/** The instances of a service that have all these tags, with the checks that concern them: first those of the node. */
export const checkedInstances = (
  tables: Tables,
  name: string,
  tags: readonly string[],
): readonly CheckedService[] =>
  instancesWith(tables, name, tags).map(({node, service}) => {
    const checks = nodeChecks(tables, service.node)
    return {
      node,
      service,
      checks: [
        ...checks.filter(check => check.serviceId === ''),
        ...checks.filter(check => check.serviceId !== '' && check.serviceId === service.id),
      ],
    }
  })

/** The checks of a node and its services. */
export const nodeChecks = (tables: Tables, node: string): readonly CatalogCheck[] =>
  listed(tables.checks, nodeKey(node) + SEPARATOR)

/** The checks of all instances of a service. */
export const serviceChecks = (tables: Tables, name: string): readonly CatalogCheck[] =>
  listed(tables.checks, '').filter(check => check.serviceName === name)

/** The checks in a state; `any` is all of them. */
export const checksInState = (tables: Tables, state: string): readonly CatalogCheck[] =>
  listed(tables.checks, '').filter(check => state === 'any' || check.status === state)
