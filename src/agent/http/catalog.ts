import {textOf} from '../../core/fsm/byte-string.js'
import type {Registration} from '../../core/fsm/catalog.js'
import {serviceIndex, serviceInstances} from '../../core/fsm/catalog.js'
import {encodeDeregistration, encodeRegistration} from '../../core/fsm/commands.js'
import type {CatalogCheck, CatalogNode, CatalogService, WatchTarget} from '../../core/fsm/messages.js'
import {NO_CHECK, NO_SERVICE} from '../../core/fsm/read-records.js'
import type {Tables} from '../../core/fsm/tables.js'
import {SEPARATOR, listed, nodeKey} from '../../core/fsm/tables.js'
import type {HttpAnswer} from '../backend.js'
import {Failure, jsonAnswer, truthAnswer} from './answers.js'
import type {Fields} from './body.js'
import {readFields} from './body.js'
import {checkJson, nodeJson, serviceJson, serviceNodeJson} from './catalog-json.js'
import type {Context} from './context.js'
import {applied} from './context.js'
import type {Json} from './json.js'
import {parseJson, sortedMap} from './json.js'
import type {ParsedRequest} from './request.js'

type Table = 'nodes' | 'services' | 'checks'

/** Serves a query of the catalog: the tables it depends on, and its index and JSON from them. */
function catalogQuery(
  context: Context,
  parsed: ParsedRequest,
  watched: readonly Table[],
  run: (tables: Tables) => {readonly index: number; readonly json: () => Json},
): Promise<HttpAnswer> {
  const watch = watched.map((table): WatchTarget => ({table}))
  return context.consistency.query(parsed, {
    catalog: true,
    watch,
    run: ({tables}) => {
      const {index, json} = run(tables)
      return {index, answer: meta => jsonAnswer(json(), parsed.query, meta)}
    },
  })
}

/** `GET /v1/catalog/nodes`. */
export async function catalogNodes(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  return catalogQuery(context, parsed, ['nodes'], tables => ({
    index: tables.maxIndex('nodes'),
    json: () => [...tables.nodes.from('')].map(({value}) => nodeJson(value)),
  }))
}

/** `GET /v1/catalog/services`: every service with all tags of its instances. */
export async function catalogServices(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  return catalogQuery(context, parsed, ['services', 'nodes'], tables => ({
    index: tables.maxIndex('services'),
    json: () => {
      const tags = new Map<string, Set<string>>()
      for (const {value} of tables.services.from('')) {
        const own = tags.get(value.service) ?? new Set()
        for (const tag of value.tags ?? []) own.add(tag)
        tags.set(value.service, own)
      }
      return sortedMap(Object.fromEntries([...tags].map(([name, own]) => [name, [...own].sort()])))
    },
  }))
}

/** `GET /v1/catalog/service/NAME`. */
export async function catalogService(
  context: Context,
  parsed: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const name = named(rest, 'Missing service name')
  const tag = parsed.query.get('tag')
  return catalogQuery(context, parsed, ['services', 'nodes'], tables => ({
    index: serviceIndex(tables, name, false),
    json: () =>
      serviceInstances(tables, name)
        .filter(({service}) => tag === '' || service.tags?.includes(tag) === true)
        .map(({node, service}) => serviceNodeJson(node, service)),
  }))
}

/** `GET /v1/catalog/node/NAME`: the node with its services by id, or null. */
export async function catalogNode(
  context: Context,
  parsed: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const name = named(rest, 'Missing node name')
  return catalogQuery(context, parsed, ['services', 'nodes'], tables => {
    const node = tables.nodes.get(nodeKey(name))?.value
    return {
      index: node === undefined ? 0 : tables.maxIndex('nodes', 'services'),
      json: () => {
        if (node === undefined) return null
        const services = listed(tables.services, nodeKey(name) + SEPARATOR)
        return {
          Node: nodeJson(node),
          Services: Object.fromEntries(services.map(service => [service.id, serviceJson(service)])),
        }
      },
    }
  })
}

/** `GET /v1/health/node/NAME`. */
export async function healthNode(context: Context, parsed: ParsedRequest, rest: string): Promise<HttpAnswer> {
  const name = named(rest, 'Missing node name')
  return catalogQuery(context, parsed, ['checks'], tables => ({
    index: tables.maxIndex('checks'),
    json: () => listed(tables.checks, nodeKey(name) + SEPARATOR).map(checkJson),
  }))
}

/** `GET /v1/health/checks/SERVICE`. */
export async function healthChecks(
  context: Context,
  parsed: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const name = named(rest, 'Missing service name')
  return catalogQuery(context, parsed, ['checks'], tables => ({
    index: tables.maxIndex('checks'),
    json: () =>
      listed(tables.checks, '')
        .filter(check => check.serviceName === name)
        .map(checkJson),
  }))
}

/** `GET /v1/health/state/STATE`; `any` is all of them. */
export async function healthState(
  context: Context,
  parsed: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const state = named(rest, 'Missing check state')
  return catalogQuery(context, parsed, ['checks'], tables => ({
    index: tables.maxIndex('checks'),
    json: () =>
      listed(tables.checks, '')
        .filter(check => state === 'any' || check.status === state)
        .map(checkJson),
  }))
}

/** `GET /v1/health/service/NAME`: instances with their node and all checks that concern them. */
export async function healthService(
  context: Context,
  parsed: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const name = named(rest, 'Missing service name')
  const {query} = parsed
  const tag = query.get('tag')
  const passing =
    query.has('passing') && !['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(query.get('passing'))
  return catalogQuery(context, parsed, ['services', 'nodes', 'checks'], tables => ({
    index: serviceIndex(tables, name, true),
    json: () =>
      serviceInstances(tables, name)
        .filter(({service}) => tag === '' || service.tags?.includes(tag) === true)
        .map(({node, service}) => ({
          node,
          service,
          checks: checksOf(tables, service),
        }))
        .filter(({checks}) => !passing || checks.every(check => check.status === 'passing'))
        .map(({node, service, checks}) => ({
          Node: nodeJson(node),
          Service: serviceJson(service),
          Checks: checks.map(checkJson),
        })),
  }))
}

/** The checks that concern a service: first those of its node, then its own. */
function checksOf(tables: Tables, {node, id}: CatalogService): readonly CatalogCheck[] {
  const checks = listed(tables.checks, nodeKey(node) + SEPARATOR)
  return [
    ...checks.filter(check => check.serviceId === ''),
    ...checks.filter(check => check.serviceId !== '' && check.serviceId === id),
  ]
}

/** `PUT /v1/catalog/register` (`Catalog.Register`, consul agent/consul/catalog_endpoint.go). */
export async function catalogRegister(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const fields = bodyFields(parsed)
  context.consistency.checkDatacenter(parsed.query)
  const elsewhere = await context.consistency.write(parsed.request)
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
  context.consistency.checkDatacenter(parsed.query)
  const elsewhere = await context.consistency.write(parsed.request)
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
