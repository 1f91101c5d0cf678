import type {
  AutopilotConfig,
  CatalogCheck,
  CatalogNode,
  CatalogService,
  KvEntry,
  Session,
} from './messages.js'
import type {PackWriter} from './pack-writer.js'

/** Writes a `structs.DirEntry`, its keys in the order in which Consul writes them. */
export function writeEntry(to: PackWriter, entry: KvEntry): void {
  to.mapHead(7)
  to.byteString('CreateIndex').integer(entry.createIndex)
  to.byteString('Flags').integer(entry.flags)
  to.byteString('Key').byteString(entry.key)
  to.byteString('LockIndex').integer(entry.lockIndex)
  to.byteString('ModifyIndex').integer(entry.modifyIndex)
  to.byteString('Session').text(entry.session)
  to.byteString('Value')
  if (entry.value === null) to.nil()
  else to.byteString(entry.value)
}

/** Who must understand what is written: servers of every age, or only those of Consul 1.7 and later. */
export type Readers = 'of-any-age' | 'newer'

/** Writes a `structs.Session`; older readers know its checks as `Checks`, newer ones as `NodeChecks`. */
export function writeSession(to: PackWriter, session: Session, readers: Readers): void {
  to.mapHead(11)
  to.byteString('Behavior').text(session.behavior)
  to.byteString('Checks').texts(readers === 'newer' ? null : session.nodeChecks)
  to.byteString('CreateIndex').integer(session.createIndex)
  to.byteString('ID').text(session.id)
  to.byteString('LockDelay').integer(session.lockDelayNs)
  to.byteString('ModifyIndex').integer(session.modifyIndex)
  to.byteString('Name').text(session.name)
  to.byteString('Node').text(session.node)
  to.byteString('NodeChecks').texts(session.nodeChecks)
  to.byteString('ServiceChecks')
  if (session.serviceChecks === null) to.nil()
  else {
    to.arrayHead(session.serviceChecks.length)
    for (const id of session.serviceChecks)
      to.mapHead(2).byteString('ID').text(id).byteString('Namespace').text('')
  }
  to.byteString('TTL').text(session.ttl)
}

/** Writes a `structs.RegisterRequest` with one service or checks, or neither. */
export function writeRegistration(
  to: PackWriter,
  {
    node,
    skipNodeUpdate,
    service,
    checks,
  }: {
    readonly node: CatalogNode
    readonly skipNodeUpdate: boolean
    readonly service: CatalogService | undefined
    readonly checks: readonly CatalogCheck[]
  },
): void {
  const [first] = checks
  to.mapHead(13)
  to.byteString('Address').text(node.address)
  to.byteString('Check')
  if (checks.length === 1 && first !== undefined) writeCheck(to, first)
  else to.nil()
  to.byteString('Checks')
  if (checks.length <= 1) to.nil()
  else {
    to.arrayHead(checks.length)
    for (const check of checks) writeCheck(to, check)
  }
  to.byteString('CreateIndex').integer(node.createIndex)
  to.byteString('Datacenter').text(node.datacenter)
  to.byteString('ID').text(node.id)
  to.byteString('ModifyIndex').integer(node.modifyIndex)
  to.byteString('Node').text(node.node)
  to.byteString('NodeMeta').textMap(node.meta)
  to.byteString('Service')
  if (service === undefined) to.nil()
  else writeService(to, service)
  to.byteString('SkipNodeUpdate').boolean(skipNodeUpdate)
  to.byteString('TaggedAddresses').textMap(node.taggedAddresses)
  to.byteString('Token').text('')
}

/** Writes a `structs.NodeService`; what it leaves out is zero for a reader. */
export function writeService(to: PackWriter, service: CatalogService): void {
  to.mapHead(12)
  to.byteString('Address').text(service.address)
  to.byteString('CreateIndex').integer(service.createIndex)
  to.byteString('EnableTagOverride').boolean(service.enableTagOverride)
  to.byteString('ID').text(service.id)
  to.byteString('Kind').text(service.kind)
  to.byteString('Meta').textMap(service.meta)
  to.byteString('ModifyIndex').integer(service.modifyIndex)
  to.byteString('Port').integer(service.port)
  to.byteString('Service').text(service.service)
  writeServiceAddresses(to.byteString('TaggedAddresses'), service)
  to.byteString('Tags').texts(service.tags)
  writeWeights(to.byteString('Weights'), service)
}

/** Writes the addresses of a service by their names. */
export function writeServiceAddresses(to: PackWriter, {taggedAddresses}: CatalogService): void {
  if (taggedAddresses === null) return void to.nil()
  const names = Object.keys(taggedAddresses).sort()
  to.mapHead(names.length)
  for (const name of names) {
    const at = taggedAddresses[name] ?? {address: '', port: 0}
    to.text(name).mapHead(2)
    to.byteString('Address').text(at.address).byteString('Port').integer(at.port)
  }
}

/** Writes the weights of a service. */
export function writeWeights(to: PackWriter, {weights}: CatalogService): void {
  to.mapHead(2).byteString('Passing').integer(weights.passing)
  to.byteString('Warning').integer(weights.warning)
}

/** Writes a `structs.Node`. */
export function writeNode(to: PackWriter, node: CatalogNode): void {
  to.mapHead(8)
  to.byteString('Address').text(node.address).byteString('CreateIndex').integer(node.createIndex)
  to.byteString('Datacenter').text(node.datacenter).byteString('ID').text(node.id)
  to.byteString('Meta').textMap(node.meta).byteString('ModifyIndex').integer(node.modifyIndex)
  to.byteString('Node').text(node.node).byteString('TaggedAddresses').textMap(node.taggedAddresses)
}

/** Writes a `structs.HealthCheck`. */
export function writeCheck(to: PackWriter, check: CatalogCheck): void {
  to.mapHead(12)
  to.byteString('CheckID').text(check.checkId)
  to.byteString('CreateIndex').integer(check.createIndex)
  to.byteString('ModifyIndex').integer(check.modifyIndex)
  to.byteString('Name').text(check.name)
  to.byteString('Node').text(check.node)
  to.byteString('Notes').text(check.notes)
  to.byteString('Output').text(check.output)
  to.byteString('ServiceID').text(check.serviceId)
  to.byteString('ServiceName').text(check.serviceName)
  to.byteString('ServiceTags').texts(check.serviceTags)
  to.byteString('Status').text(check.status)
  to.byteString('Type').text(check.type)
}

/** Writes a `structs.AutopilotConfig`. */
export function writeAutopilot(to: PackWriter, config: AutopilotConfig): void {
  to.mapHead(10)
  to.byteString('CleanupDeadServers').boolean(config.cleanupDeadServers)
  to.byteString('CreateIndex').integer(config.createIndex)
  to.byteString('DisableUpgradeMigration').boolean(config.disableUpgradeMigration)
  to.byteString('LastContactThreshold').integer(config.lastContactThresholdNs)
  to.byteString('MaxTrailingLogs').integer(config.maxTrailingLogs)
  to.byteString('MinQuorum').integer(config.minQuorum)
  to.byteString('ModifyIndex').integer(config.modifyIndex)
  to.byteString('RedundancyZoneTag').text(config.redundancyZoneTag)
  to.byteString('ServerStabilizationTime').integer(config.serverStabilizationTimeNs)
  to.byteString('UpgradeVersionTag').text(config.upgradeVersionTag)
}
