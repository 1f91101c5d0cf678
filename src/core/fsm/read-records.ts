import type {Deregistration, Registration} from './catalog.js'
import type {KvCommand} from './kv.js'
import type {
  AutopilotConfig,
  CatalogCheck,
  CatalogNode,
  CatalogService,
  KvEntry,
  Session,
} from './messages.js'
import type {PackReader} from './pack-reader.js'
import type {SessionCommand} from './sessions.js'

type Mutable<T> = {-readonly [K in keyof T]: T[K]}

/** Reads a map, handing each key to `take`, which must read or skip its value. Unknown keys are for it to skip. */
export function eachPair(reader: PackReader, take: (key: string) => void): void {
  for (let pairs = reader.mapHead(); pairs > 0; pairs--) take(reader.key())
}

/** `structs.DirEntry`. Key and value are byte strings. */
export function readEntry(reader: PackReader): KvEntry {
  let key = ''
  let value: string | null = null
  let flags: number | bigint = 0
  let session = ''
  let [lockIndex, createIndex, modifyIndex] = [0, 0, 0]
  for (let pairs = reader.mapHead(); pairs > 0; pairs--) {
    switch (reader.key()) {
      case 'Key':
        key = reader.byteString() ?? ''
        break
      case 'Value':
        value = reader.byteString()
        break
      case 'Flags':
        flags = reader.integer()
        break
      case 'Session':
        session = reader.text()
        break
      case 'LockIndex':
        lockIndex = reader.number()
        break
      case 'CreateIndex':
        createIndex = reader.number()
        break
      case 'ModifyIndex':
        modifyIndex = reader.number()
        break
      default:
        reader.skip()
    }
  }
  return {key, value, flags, createIndex, modifyIndex, lockIndex, session}
}

/** An entry with nothing set. */
export const NO_ENTRY: KvEntry = {
  key: '',
  value: null,
  flags: 0,
  createIndex: 0,
  modifyIndex: 0,
  lockIndex: 0,
  session: '',
}

/** `structs.KVSRequest`. */
export function readKvCommand(reader: PackReader): KvCommand {
  let op = ''
  let entry = NO_ENTRY
  eachPair(reader, key => {
    if (key === 'Op') op = reader.text()
    else if (key === 'DirEnt') entry = readEntry(reader)
    else reader.skip()
  })
  return {op, entry}
}

/** `structs.SessionRequest`. */
export function readSessionCommand(reader: PackReader): SessionCommand {
  let op = ''
  let session = NO_SESSION
  eachPair(reader, key => {
    if (key === 'Op') op = reader.text()
    else if (key === 'Session') session = readSession(reader)
    else reader.skip()
  })
  return {op, session}
}

/** A session with nothing set. */
export const NO_SESSION: Session = {
  id: '',
  name: '',
  node: '',
  lockDelayNs: 0,
  behavior: '',
  ttl: '',
  nodeChecks: [],
  serviceChecks: null,
  createIndex: 0,
  modifyIndex: 0,
}

/** `structs.Session`; up to 1.6 its checks stand under `Checks` alone. */
export function readSession(reader: PackReader): Session {
  const session: Mutable<Session> = {...NO_SESSION}
  let checks: readonly string[] | null = null
  let nodeChecks: readonly string[] | null = null
  eachPair(reader, key => {
    switch (key) {
      case 'ID':
        session.id = reader.text()
        break
      case 'Name':
        session.name = reader.text()
        break
      case 'Node':
        session.node = reader.text()
        break
      case 'LockDelay':
        session.lockDelayNs = reader.number()
        break
      case 'Behavior':
        session.behavior = reader.text()
        break
      case 'TTL':
        session.ttl = reader.text()
        break
      case 'Checks':
        checks = reader.texts()
        break
      case 'NodeChecks':
        nodeChecks = reader.texts()
        break
      case 'ServiceChecks':
        session.serviceChecks = readServiceChecks(reader)
        break
      case 'CreateIndex':
        session.createIndex = reader.number()
        break
      case 'ModifyIndex':
        session.modifyIndex = reader.number()
        break
      default:
        reader.skip()
    }
  })
  session.nodeChecks = nodeChecks ?? checks ?? []
  return session
}

function readServiceChecks(reader: PackReader): readonly string[] | null {
  const length = reader.arrayHead()
  if (length === undefined) return null
  const ids: string[] = []
  for (let i = 0; i < length; i++)
    eachPair(reader, key => {
      if (key === 'ID') ids.push(reader.text())
      else reader.skip()
    })
  return ids
}

/** `structs.RegisterRequest`, as a command or as a record of a snapshot. */
export function readRegistration(reader: PackReader): Registration {
  const node: Mutable<CatalogNode> = {...NO_NODE}
  let skipNodeUpdate = false
  let service: CatalogService | undefined
  const checks: CatalogCheck[] = []
  eachPair(reader, key => {
    if (readNodeField(reader, key, node)) return
    if (key === 'SkipNodeUpdate') skipNodeUpdate = reader.boolean()
    else if (key === 'Service') service = reader.peekNil() ? undefined : readService(reader)
    else if (key === 'Check') {
      if (!reader.peekNil()) checks.push(readCheck(reader))
    } else if (key === 'Checks') {
      for (let left = reader.arrayHead() ?? 0; left > 0; left--) checks.push(readCheck(reader))
    } else reader.skip()
  })
  return {node, skipNodeUpdate, service, checks}
}

/** A node with nothing set. */
export const NO_NODE: CatalogNode = {
  id: '',
  node: '',
  address: '',
  datacenter: '',
  taggedAddresses: null,
  meta: null,
  createIndex: 0,
  modifyIndex: 0,
}

/** `structs.Node`. */
export function readNode(reader: PackReader): CatalogNode {
  const node: Mutable<CatalogNode> = {...NO_NODE}
  eachPair(reader, key => {
    if (!readNodeField(reader, key, node)) reader.skip()
  })
  return node
}

/** Reads the value of one field of a node; false when it is none and was not read. */
function readNodeField(reader: PackReader, key: string, node: Mutable<CatalogNode>): boolean {
  if (key === 'ID') node.id = reader.text()
  else if (key === 'Node') node.node = reader.text()
  else if (key === 'Address') node.address = reader.text()
  else if (key === 'Datacenter') node.datacenter = reader.text()
  else if (key === 'TaggedAddresses') node.taggedAddresses = reader.textMap()
  else if (key === 'NodeMeta' || key === 'Meta') node.meta = reader.textMap()
  else if (key === 'CreateIndex') node.createIndex = reader.number()
  else if (key === 'ModifyIndex') node.modifyIndex = reader.number()
  else return false
  return true
}

/** `structs.NodeService`; its node stands outside of it. */
export function readService(reader: PackReader): CatalogService {
  const service: Mutable<CatalogService> = {...NO_SERVICE}
  eachPair(reader, key => {
    if (key === 'ID') service.id = reader.text()
    else if (key === 'Service') service.service = reader.text()
    else if (key === 'Kind') service.kind = reader.text()
    else if (key === 'Tags') service.tags = reader.texts()
    else if (key === 'Address') service.address = reader.text()
    else if (key === 'Meta') service.meta = reader.textMap()
    else if (key === 'Port') service.port = reader.number()
    else if (key === 'EnableTagOverride') service.enableTagOverride = reader.boolean()
    else if (key === 'Weights') service.weights = readWeights(reader)
    else if (key === 'TaggedAddresses') service.taggedAddresses = readServiceAddresses(reader)
    else if (key === 'CreateIndex') service.createIndex = reader.number()
    else if (key === 'ModifyIndex') service.modifyIndex = reader.number()
    else reader.skip()
  })
  return service
}

/** A service with nothing set; weights as for a client that gives none. */
export const NO_SERVICE: CatalogService = {
  node: '',
  id: '',
  service: '',
  kind: '',
  tags: null,
  address: '',
  taggedAddresses: null,
  meta: null,
  port: 0,
  weights: {passing: 1, warning: 1},
  enableTagOverride: false,
  createIndex: 0,
  modifyIndex: 0,
}

/** `structs.Weights`. */
export function readWeights(reader: PackReader): CatalogService['weights'] {
  let [passing, warning] = [1, 1]
  eachPair(reader, key => {
    if (key === 'Passing') passing = reader.number()
    else if (key === 'Warning') warning = reader.number()
    else reader.skip()
  })
  return {passing, warning}
}

/** Addresses of a service by their names; null for nil. */
export function readServiceAddresses(reader: PackReader): CatalogService['taggedAddresses'] {
  if (reader.peekNil()) return null
  const addresses: Record<string, {address: string; port: number}> = Object.create(null) as never
  eachPair(reader, name => {
    const at = {address: '', port: 0}
    eachPair(reader, key => {
      if (key === 'Address') at.address = reader.text()
      else if (key === 'Port') at.port = reader.number()
      else reader.skip()
    })
    addresses[name] = at
  })
  return addresses
}

/** `structs.HealthCheck`, without its definition, which only its own agent needs. */
export function readCheck(reader: PackReader): CatalogCheck {
  const check: Mutable<CatalogCheck> = {...NO_CHECK}
  eachPair(reader, key => {
    if (key === 'Node') check.node = reader.text()
    else if (key === 'CheckID') check.checkId = reader.text()
    else if (key === 'Name') check.name = reader.text()
    else if (key === 'Status') check.status = reader.text()
    else if (key === 'Notes') check.notes = reader.text()
    else if (key === 'Output') check.output = reader.text()
    else if (key === 'ServiceID') check.serviceId = reader.text()
    else if (key === 'ServiceName') check.serviceName = reader.text()
    else if (key === 'ServiceTags') check.serviceTags = reader.texts()
    else if (key === 'Type') check.type = reader.text()
    else if (key === 'CreateIndex') check.createIndex = reader.number()
    else if (key === 'ModifyIndex') check.modifyIndex = reader.number()
    else reader.skip()
  })
  return check
}

/** A check with nothing set. */
export const NO_CHECK: CatalogCheck = {
  node: '',
  checkId: '',
  name: '',
  status: '',
  notes: '',
  output: '',
  serviceId: '',
  serviceName: '',
  serviceTags: null,
  type: '',
  createIndex: 0,
  modifyIndex: 0,
}

/** `structs.DeregisterRequest`. */
export function readDeregistration(reader: PackReader): Deregistration {
  let [node, serviceId, checkId] = ['', '', '']
  eachPair(reader, key => {
    if (key === 'Node') node = reader.text()
    else if (key === 'ServiceID') serviceId = reader.text()
    else if (key === 'CheckID') checkId = reader.text()
    else reader.skip()
  })
  return {node, serviceId, checkId}
}

/** `structs.AutopilotConfig`. */
export function readAutopilot(reader: PackReader): AutopilotConfig {
  const config: Mutable<AutopilotConfig> = {...NO_AUTOPILOT}
  eachPair(reader, key => {
    if (key === 'CleanupDeadServers') config.cleanupDeadServers = reader.boolean()
    else if (key === 'LastContactThreshold') config.lastContactThresholdNs = reader.number()
    else if (key === 'MaxTrailingLogs') config.maxTrailingLogs = reader.number()
    else if (key === 'MinQuorum') config.minQuorum = reader.number()
    else if (key === 'ServerStabilizationTime') config.serverStabilizationTimeNs = reader.number()
    else if (key === 'RedundancyZoneTag') config.redundancyZoneTag = reader.text()
    else if (key === 'DisableUpgradeMigration') config.disableUpgradeMigration = reader.boolean()
    else if (key === 'UpgradeVersionTag') config.upgradeVersionTag = reader.text()
    else if (key === 'CreateIndex') config.createIndex = reader.number()
    else if (key === 'ModifyIndex') config.modifyIndex = reader.number()
    else reader.skip()
  })
  return config
}

/** Autopilot's settings with nothing set. */
export const NO_AUTOPILOT: AutopilotConfig = {
  cleanupDeadServers: false,
  lastContactThresholdNs: 0,
  maxTrailingLogs: 0,
  minQuorum: 0,
  serverStabilizationTimeNs: 0,
  redundancyZoneTag: '',
  disableUpgradeMigration: false,
  upgradeVersionTag: '',
  createIndex: 0,
  modifyIndex: 0,
}
