/**
 * The names of Consul's message types by the first byte of a command (`MessageType` in consul agent/structs/structs.go).
 * The list only ever grows; up to 0.6 it ends at 7.
 */
const NAMES: readonly string[] = [
  'register',
  'deregister',
  'kvs',
  'session',
  'acl',
  'tombstone',
  'coordinate-batch-update',
  'prepared-query',
  'txn',
  'autopilot',
  'area',
  'acl-bootstrap',
  'intention',
  'connect-ca',
  'connect-ca-provider-state',
  'connect-ca-config',
  'index',
  'acl-token-set',
  'acl-token-delete',
  'acl-policy-set',
  'acl-policy-delete',
  'connect-ca-leaf',
  'config-entry',
  'acl-role-set',
  'acl-role-delete',
  'acl-binding-rule-set',
  'acl-binding-rule-delete',
  'acl-auth-method-set',
  'acl-auth-method-delete',
  'chunking-state',
  'federation-state',
  'system-metadata',
  'service-virtual-ip',
  'free-virtual-ip',
  'kind-service-names',
  'peering-write',
  'peering-delete',
  'peering-terminate-by-id',
  'peering-trust-bundle-write',
  'peering-trust-bundle-delete',
  'peering-secrets-write',
  'log-verifier-checkpoint',
  'resource-operation',
  'update-virtual-ip',
]

const IGNORE_UNKNOWN = 0x80

/** The name of a Consul command by its first byte; the high bit only says that servers that do not know it may skip it. */
export function consulMessage(firstByte: number): string {
  const type = firstByte & ~IGNORE_UNKNOWN
  return NAMES[type] ?? `message-${type}`
}
