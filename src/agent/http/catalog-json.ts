import type {CheckedService, NodeServices} from '../../core/fsm/call-answer.js'
import type {CatalogCheck, CatalogNode, CatalogService} from '../../core/fsm/messages.js'
import type {Json} from './json.js'
import {sortedMap} from './json.js'

const PROXY = {Mode: '', MeshGateway: {}, Expose: {}}

/** A node as the API shows it (`structs.Node`). */
export const nodeJson = (node: CatalogNode) => ({
  ID: node.id,
  Node: node.node,
  Address: node.address,
  Datacenter: node.datacenter,
  TaggedAddresses: sortedMap(node.taggedAddresses),
  Meta: sortedMap(node.meta),
  CreateIndex: node.createIndex,
  ModifyIndex: node.modifyIndex,
})

/** A service as the API shows it below its node (`structs.NodeService`). */
export const serviceJson = (service: CatalogService) => ({
  ...(service.kind === '' ? undefined : {Kind: service.kind}),
  ID: service.id,
  Service: service.service,
  Tags: service.tags ?? [],
  Address: service.address,
  ...(service.taggedAddresses === null ? undefined : {TaggedAddresses: addresses(service)}),
  Meta: sortedMap(service.meta),
  Port: service.port,
  Weights: {Passing: service.weights.passing, Warning: service.weights.warning},
  EnableTagOverride: service.enableTagOverride,
  Proxy: PROXY,
  Connect: {},
  PeerName: '',
  CreateIndex: service.createIndex,
  ModifyIndex: service.modifyIndex,
})

/** A service with its node as the catalog shows it (`structs.ServiceNode`). */
export const serviceNodeJson = (node: CatalogNode, service: CatalogService) => ({
  ID: node.id,
  Node: node.node,
  Address: node.address,
  Datacenter: node.datacenter,
  TaggedAddresses: sortedMap(node.taggedAddresses),
  NodeMeta: sortedMap(node.meta),
  ServiceKind: service.kind,
  ServiceID: service.id,
  ServiceName: service.service,
  ServiceTags: service.tags ?? [],
  ServiceAddress: service.address,
  ...(service.taggedAddresses === null ? undefined : {ServiceTaggedAddresses: addresses(service)}),
  ServiceWeights: {Passing: service.weights.passing, Warning: service.weights.warning},
  ServiceMeta: sortedMap(service.meta),
  ServicePort: service.port,
  ServiceSocketPath: '',
  ServiceEnableTagOverride: service.enableTagOverride,
  ServiceProxy: PROXY,
  ServiceConnect: {},
  ServiceLocality: null,
  CreateIndex: service.createIndex,
  ModifyIndex: service.modifyIndex,
})

/** A check as the API shows it (`structs.HealthCheck`). */
export const checkJson = (check: CatalogCheck) => ({
  Node: check.node,
  CheckID: check.checkId,
  Name: check.name,
  Status: check.status,
  Notes: check.notes,
  Output: check.output,
  ServiceID: check.serviceId,
  ServiceName: check.serviceName,
  ServiceTags: check.serviceTags ?? [],
  Type: check.type,
  Interval: '',
  Timeout: '',
  ExposedPort: 0,
  Definition: {},
  CreateIndex: check.createIndex,
  ModifyIndex: check.modifyIndex,
})

/** A node with its services by id, as the API shows it; null for one that is not there. */
export const nodeServicesJson = (found: NodeServices | undefined): Json =>
  found === undefined
    ? null
    : {
        Node: nodeJson(found.node),
        Services: Object.fromEntries(found.services.map(service => [service.id, serviceJson(service)])),
      }

/** Instances of a service with their nodes and checks, as the API shows them (`structs.CheckServiceNode`). */
export const checkedJson = (instances: readonly CheckedService[], onlyPassing: boolean): Json =>
  instances
    .filter(({checks}) => !onlyPassing || checks.every(check => check.status === 'passing'))
    .map(({node, service, checks}) => ({
      Node: nodeJson(node),
      Service: serviceJson(service),
      Checks: checks.map(checkJson),
    }))

function addresses(service: CatalogService): Json {
  const pairs = Object.entries(service.taggedAddresses ?? {}).map(
    ([name, {address, port}]) => [name, {Address: address, Port: port}] as const,
  )
  return sortedMap(Object.fromEntries(pairs))
}
