import {
  writeCheckedService,
  writeList,
  writeNodeServices,
  writeServiceNode,
  writeTagsByService,
} from '../../core/fsm/call-answer.js'
import type {CallQuery} from '../../core/fsm/call-query.js'
import {registrationOf} from '../../core/fsm/call-registration.js'
import {serviceIndex} from '../../core/fsm/catalog.js'
import {
  checkedInstances,
  checksInState,
  instancesWith,
  nodeChecks,
  nodeServices,
  nodesWith,
  serviceChecks,
  tagsByService,
} from '../../core/fsm/catalog-queries.js'
import {encodeDeregistration} from '../../core/fsm/commands.js'
import type {CatalogCheck, WatchTarget} from '../../core/fsm/messages.js'
import {PackReader} from '../../core/fsm/pack-reader.js'
import {readDeregistration} from '../../core/fsm/read-records.js'
import type {Tables} from '../../core/fsm/tables.js'
import {writeCheck, writeNode} from '../../core/fsm/write-records.js'
import {Failure} from '../http/answers.js'
import type {Context} from '../http/context.js'
import {applied} from '../http/context.js'
import type {QueryCall} from './query.js'

/** `Catalog.Register` (`RegisterRequest`, consul agent/consul/catalog_endpoint.go). */
export async function registerCall(context: Context, argument: Uint8Array): Promise<void> {
  const registration = registrationOf(argument)
  if (typeof registration === 'string') throw new Failure(500, registration)
  await applied(context, registration.command)
}

/** `Catalog.Deregister` (`DeregisterRequest`). */
export async function deregisterCall(context: Context, argument: Uint8Array): Promise<void> {
  const wanted = readDeregistration(new PackReader(argument))
  if (wanted.node === '') throw new Failure(500, 'Must provide node')
  await applied(context, encodeDeregistration(context.backend.identity.datacenter, wanted))
}

type Table = 'nodes' | 'services' | 'checks'
const watching =
  (...tables: readonly Table[]) =>
  (): readonly WatchTarget[] =>
    tables.map(table => ({table}))

const checksBy = (pick: (tables: Tables, query: CallQuery) => readonly CatalogCheck[]): QueryCall => ({
  name: 'HealthChecks',
  watch: watching('checks'),
  run: (tables, query) => ({
    index: tables.maxIndex('checks'),
    write: to => writeList(to, pick(tables, query), writeCheck),
  }),
})

const servicesOfNode = (asList: boolean): QueryCall => ({
  name: 'NodeServices',
  watch: watching('services', 'nodes'),
  run: (tables, {node}) => {
    const found = nodeServices(tables, node)
    return {
      index: found === undefined ? 0 : tables.maxIndex('nodes', 'services'),
      write: to => writeNodeServices(to, found, asList),
    }
  },
})

/** The calls that read the catalog and its checks. */
export const CATALOG_QUERIES: Readonly<Record<string, QueryCall>> = {
  'Catalog.ListNodes': {
    name: 'Nodes',
    watch: watching('nodes'),
    run: (tables, {nodeMeta}) => ({
      index: tables.maxIndex('nodes'),
      write: to => writeList(to, nodesWith(tables, nodeMeta), writeNode),
    }),
  },
  'Catalog.ListServices': {
    name: 'Services',
    watch: watching('services', 'nodes'),
    run: (tables, {nodeMeta}) => ({
      index: tables.maxIndex('services'),
      write: to => writeTagsByService(to, tagsByService(tables, nodeMeta)),
    }),
  },
  'Catalog.ServiceNodes': {
    name: 'ServiceNodes',
    watch: watching('services', 'nodes'),
    run: (tables, {service, tags}) => ({
      index: serviceIndex(tables, service, false),
      write: to => writeList(to, instancesWith(tables, service, tags), writeServiceNode),
    }),
  },
  'Catalog.NodeServices': servicesOfNode(false),
  'Catalog.NodeServiceList': servicesOfNode(true),
  'Health.NodeChecks': checksBy((tables, {node}) => nodeChecks(tables, node)),
  'Health.ServiceChecks': checksBy((tables, {service}) => serviceChecks(tables, service)),
  'Health.ChecksInState': checksBy((tables, {state}) => checksInState(tables, state)),
  'Health.ServiceNodes': {
    name: 'Nodes',
    watch: watching('services', 'nodes', 'checks'),
    run: (tables, {service, tags}) => ({
      index: serviceIndex(tables, service, true),
      write: to => writeList(to, checkedInstances(tables, service, tags), writeCheckedService),
    }),
  },
}
