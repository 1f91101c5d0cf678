import {textOf} from '../../core/fsm/byte-string.js'
import type {Registration} from '../../core/fsm/catalog.js'
import {
  readCheckedService,
  readList,
  readNodeServices,
  readServiceNode,
  readTagsByService,
} from '../../core/fsm/call-answer.js'
import type {CallQuery} from '../../core/fsm/call-query.js'
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
import {encodeDeregistration, encodeRegistration} from '../../core/fsm/commands.js'
import type {CatalogCheck, CatalogNode, CatalogService, WatchTarget} from '../../core/fsm/messages.js'
import {
  NO_CHECK,
  NO_SERVICE,
  readCheck as readCheckRecord,
  readNode as readNodeRecord,
} from '../../core/fsm/read-records.js'
import type {Tables} from '../../core/fsm/tables.js'
import type {HttpAnswer} from '../backend.js'
import type {Headers} from './answers.js'
import {Failure, jsonAnswer, truthAnswer} from './answers.js'
import type {Fields} from './body.js'
import {readFields} from './body.js'
import {checkedJson, checkJson, nodeJson, nodeServicesJson, serviceNodeJson} from './catalog-json.js'
import type {QueryThere} from './consistency.js'
import type {Context} from './context.js'
import {applied} from './context.js'
import type {Json} from './json.js'
import {parseJson, sortedMap} from './json.js'
import type {ParsedRequest} from './request.js'

type Table = 'nodes' | 'services' | 'checks'

/** A query of the catalog: what it finds here or at a server of another make, and how that is shown. */
interface CatalogQuery<T> {
  /** The tables it depends on. */
  readonly watched: readonly Table[]
  run(tables: Tables): {readonly index: number; readonly found: () => T}
  readonly there: QueryThere<T>
  json(found: T): Json
}

function catalogQuery<T>(
  context: Context,
  parsed: ParsedRequest,
  query: CatalogQuery<T>,
): Promise<HttpAnswer> {
  const show = (found: T, meta: Headers): HttpAnswer => jsonAnswer(query.json(found), parsed.query, meta)
  return context.consistency.query(parsed, {
    catalog: true,
    watch: query.watched.map((table): WatchTarget => ({table})),
    run: ({tables}) => {
      const {index, found} = query.run(tables)
      return {index, answer: meta => show(found(), meta)}
    },
    there: {
      ...query.there,
      read: reader => {
        const found = query.there.read(reader)
        return meta => show(found, meta)
      },
    },
  })
}

/** `GET /v1/catalog/nodes`. */
export async function catalogNodes(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  return catalogQuery(context, parsed, {
    watched: ['nodes'],
    run: tables => ({index: tables.maxIndex('nodes'), found: () => nodesWith(tables, null)}),
    there: {
      method: 'Catalog.ListNodes',
      asks: {},
      name: 'Nodes',
      read: reader => readList(reader, readNodeRecord),
    },
    json: nodes => nodes.map(nodeJson),
  })
}

/** `GET /v1/catalog/services`: every service with all tags of its instances. */
export async function catalogServices(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  return catalogQuery(context, parsed, {
    watched: ['services', 'nodes'],
    run: tables => ({index: tables.maxIndex('services'), found: () => tagsByService(tables, null)}),
    there: {method: 'Catalog.ListServices', asks: {}, name: 'Services', read: readTagsByService},
    json: tags => sortedMap(tags),
  })
}

/** `GET /v1/catalog/service/NAME`. */
export async function catalogService(
  context: Context,
  parsed: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const service = named(rest, 'Missing service name')
  const tags = wantedTags(parsed)
  return catalogQuery(context, parsed, {
    watched: ['services', 'nodes'],
    run: tables => ({
      index: serviceIndex(tables, service, false),
      found: () => instancesWith(tables, service, tags),
    }),
    there: {
      method: 'Catalog.ServiceNodes',
      asks: {service, tags},
      name: 'ServiceNodes',
      read: reader => readList(reader, readServiceNode),
    },
    json: instances => instances.map(({node, service}) => serviceNodeJson(node, service)),
  })
}

/** `GET /v1/catalog/node/NAME`: the node with its services by id, or null. */
export async function catalogNode(
  context: Context,
  parsed: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const node = named(rest, 'Missing node name')
  return catalogQuery(context, parsed, {
    watched: ['services', 'nodes'],
    run: tables => {
      const found = nodeServices(tables, node)
      return {
        index: found === undefined ? 0 : tables.maxIndex('nodes', 'services'),
        found: () => found,
      }
    },
    there: {method: 'Catalog.NodeServices', asks: {node}, name: 'NodeServices', read: readNodeServices},
    json: nodeServicesJson,
  })
}

/** `GET /v1/health/node/NAME`. */
export async function healthNode(context: Context, parsed: ParsedRequest, rest: string): Promise<HttpAnswer> {
  const node = named(rest, 'Missing node name')
  return checksQuery(context, parsed, 'Health.NodeChecks', {node}, tables => nodeChecks(tables, node))
}

/** `GET /v1/health/checks/SERVICE`. */
export async function healthChecks(
  context: Context,
  parsed: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const service = named(rest, 'Missing service name')
  return checksQuery(context, parsed, 'Health.ServiceChecks', {service}, tables =>
    serviceChecks(tables, service),
  )
}

/** `GET /v1/health/state/STATE`; `any` is all of them. */
export async function healthState(
  context: Context,
  parsed: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const state = named(rest, 'Missing check state')
  return checksQuery(context, parsed, 'Health.ChecksInState', {state}, tables => checksInState(tables, state))
}

function checksQuery(
  context: Context,
  parsed: ParsedRequest,
  method: string,
  asks: Partial<CallQuery>,
  pick: (tables: Tables) => readonly CatalogCheck[],
): Promise<HttpAnswer> {
  return catalogQuery(context, parsed, {
    watched: ['checks'],
    run: tables => ({index: tables.maxIndex('checks'), found: () => pick(tables)}),
    there: {method, asks, name: 'HealthChecks', read: reader => readList(reader, readCheckRecord)},
    json: checks => checks.map(checkJson),
  })
}

/** `GET /v1/health/service/NAME`: instances with their node and all checks that concern them. */
export async function healthService(
  context: Context,
  parsed: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const service = named(rest, 'Missing service name')
  const tags = wantedTags(parsed)
  return catalogQuery(context, parsed, {
    watched: ['services', 'nodes', 'checks'],
    run: tables => ({
      index: serviceIndex(tables, service, true),
      found: () => checkedInstances(tables, service, tags),
    }),
    there: {
      method: 'Health.ServiceNodes',
      asks: {service, tags},
      name: 'Nodes',
      read: reader => readList(reader, readCheckedService),
    },
    json: instances => checkedJson(instances, wantsPassing(parsed)),
  })
}

function wantedTags({query}: ParsedRequest): readonly string[] {
  const tag = query.get('tag')
  return tag === '' ? [] : [tag]
}

const wantsPassing = ({query}: ParsedRequest): boolean =>
  query.has('passing') && !['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(query.get('passing'))

/** `PUT /v1/catalog/register` (`Catalog.Register`, consul agent/consul/catalog_endpoint.go). */
export async function catalogRegister(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const fields = bodyFields(parsed)
  context.consistency.checkDatacenter(parsed.query.get('dc'))
  const elsewhere = await context.consistency.change(parsed.request)
  if (elsewhere !== undefined) return elsewhere
  const registration = readRegistration(fields, context.backend.identity.datacenter)
  const {node, service} = registration
  if (node.node === '') throw new Failure(500, 'Must provide node')
  if (node.address === '' && !registration.skipNodeUpdate)
    throw new Failure(500, 'Must provide address if SkipNodeUpdate is not set')
  if (node.id !== '' && !UUID.test(node.id)) throw new Failure(500, `Bad node ID`)
  if (service !== undefined && service.service === '' && service.id !== '')
    throw new Failure(500, 'Must provide service name with ID')
  await applied(context, encodeRegistration(registration))
  return truthAnswer(true, parsed.query)
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** `PUT /v1/catalog/deregister`. */
export async function catalogDeregister(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const fields = bodyFields(parsed)
  context.consistency.checkDatacenter(parsed.query.get('dc'))
  const elsewhere = await context.consistency.change(parsed.request)
  if (elsewhere !== undefined) return elsewhere
  const node = fields.text('Node')
  if (node === '') throw new Failure(500, 'Must provide node')
  const wanted = {node, serviceId: fields.text('ServiceID'), checkId: fields.text('CheckID')}
  await applied(context, encodeDeregistration(context.backend.identity.datacenter, wanted))
  return truthAnswer(true, parsed.query)
}

function bodyFields({request}: ParsedRequest): Fields {
  const json = parseJson(request.body)
  if ('problem' in json) throw new Failure(400, `Request decode failed: ${json.problem}`)
  return readFields(json.value)
}

function readRegistration(fields: Fields, datacenter: string): Registration {
  const name = fields.text('Node')
  const checks = [
    ...(fields.has('Check') ? [fields.value('Check')] : []),
    ...(fields.list('Checks') ?? []),
  ].map(item => readCheck(readFields(item), name))
  return {
    node: readNode(fields, 'NodeMeta', datacenter),
    skipNodeUpdate: fields.boolean('SkipNodeUpdate'),
    service: fields.has('Service') ? readService(fields.object('Service'), name) : undefined,
    checks,
  }
}

/** A node from JSON; its meta stands under another name in a registration than in a transaction. */
export const readNode = (fields: Fields, meta: 'NodeMeta' | 'Meta', datacenter: string): CatalogNode => ({
  id: fields.text('ID').toLowerCase(),
  node: fields.text('Node'),
  address: fields.text('Address'),
  datacenter,
  taggedAddresses: fields.map('TaggedAddresses'),
  meta: fields.map(meta),
  createIndex: 0,
  modifyIndex: fields.number('ModifyIndex'),
})

/** A service from JSON; its id is its name where it has none. */
export function readService(fields: Fields, node: string): CatalogService {
  const weights = fields.object('Weights')
  const tagged = fields.object('TaggedAddresses')
  const addresses = tagged.names().map(name => {
    const at = tagged.object(name)
    return [name, {address: at.text('Address'), port: at.number('Port')}] as const
  })
  return {
    ...NO_SERVICE,
    node,
    id: fields.text('ID') || fields.text('Service'),
    service: fields.text('Service'),
    kind: fields.text('Kind'),
    tags: fields.texts('Tags') ?? null,
    address: fields.text('Address'),
    taggedAddresses: addresses.length === 0 ? null : Object.fromEntries(addresses),
    meta: fields.map('Meta'),
    port: fields.number('Port'),
    weights: fields.has('Weights')
      ? {passing: weights.number('Passing'), warning: weights.number('Warning')}
      : NO_SERVICE.weights,
    enableTagOverride: fields.boolean('EnableTagOverride'),
    modifyIndex: fields.number('ModifyIndex'),
  }
}

/** A check from JSON; its id is its name where it has none. */
export const readCheck = (fields: Fields, node: string): CatalogCheck => ({
  ...NO_CHECK,
  node: fields.text('Node') || node,
  checkId: fields.text('CheckID') || fields.text('Name'),
  name: fields.text('Name'),
  status: fields.text('Status'),
  notes: fields.text('Notes'),
  output: fields.text('Output'),
  serviceId: fields.text('ServiceID'),
  type: fields.text('Type'),
  modifyIndex: fields.number('ModifyIndex'),
})

function named(rest: string, missing: string): string {
  if (rest === '') throw new Failure(400, missing)
  return textOf(rest)
}
