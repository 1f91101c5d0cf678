import type {Deregistration, Registration} from './catalog.js'
import type {AutopilotConfig, KvEntry, Session} from './messages.js'
import {CommandType, IGNORE_UNKNOWN} from './messages.js'
import {PackWriter} from './pack-writer.js'
import {NO_ENTRY, NO_SESSION} from './read-records.js'
import type {RestorePart} from './restore.js'
import {writeRestorePart} from './restore.js'
import type {TxnOperation} from './txn.js'
import type {Readers} from './write-records.js'
import {
  writeAutopilot,
  writeCheck,
  writeEntry,
  writeNode,
  writeRegistration,
  writeService,
  writeSession,
} from './write-records.js'

/** An entry with nothing but a key: what deletions need. */
export const bareEntry = (key: string): KvEntry => ({...NO_ENTRY, key})

const SMALL_BYTES = 2048
/** Small commands, which come by the thousand, are written here and kept without what a writer of their own costs. */
const small = new PackWriter(SMALL_BYTES)

/** The command for an operation on a key (`structs.KVSRequest`). */
export function encodeKv(datacenter: string, op: string, entry: KvEntry): Uint8Array {
  const bytes = 256 + entry.key.length + (entry.value?.length ?? 0)
  const to = bytes > SMALL_BYTES ? new PackWriter(bytes) : small
  to.byte(CommandType.kvs).mapHead(4).byteString('Datacenter').text(datacenter).byteString('DirEnt')
  writeEntry(to, entry)
  to.byteString('Op').text(op).byteString('Token').text('')
  return to === small ? to.take() : to.finish()
}

/** The command that makes or ends a session (`structs.SessionRequest`); an end needs only the id. */
export function encodeSession(
  datacenter: string,
  op: 'create' | 'destroy',
  session: Session,
  readers: Readers = 'newer',
): Uint8Array {
  const to = new PackWriter(320)
  to.byte(CommandType.session).mapHead(4).byteString('Datacenter').text(datacenter)
  to.byteString('Op').text(op).byteString('Session')
  writeSession(to, session, readers)
  return to.byteString('Token').text('').finish()
}

/** A session with nothing but an id: what ending it needs. */
export const bareSession = (id: string): Session => ({...NO_SESSION, id})

/** The command that writes a node, and as wanted a service and checks of it (`structs.RegisterRequest`). */
export function encodeRegistration(registration: Registration): Uint8Array {
  const to = new PackWriter(768).byte(CommandType.register)
  writeRegistration(to, registration)
  return to.finish()
}

/** The command that takes a node, a service or a check out (`structs.DeregisterRequest`). */
export function encodeDeregistration(datacenter: string, wanted: Deregistration): Uint8Array {
  const to = new PackWriter(160)
  to.byte(CommandType.deregister).mapHead(6).byteString('Address').text('')
  to.byteString('CheckID').text(wanted.checkId).byteString('Datacenter').text(datacenter)
  to.byteString('Node').text(wanted.node).byteString('ServiceID').text(wanted.serviceId)
  return to.byteString('Token').text('').finish()
}

/** The command that forgets tombstones up to an index (`structs.TombstoneRequest`). */
export function encodeTombstoneReap(datacenter: string, upTo: number): Uint8Array {
  const to = new PackWriter(96)
  to.byte(CommandType.tombstone).mapHead(4).byteString('Datacenter').text(datacenter)
  to.byteString('Op').text('reap').byteString('ReapIndex').integer(upTo)
  return to.byteString('Token').text('').finish()
}

/** The command that sets autopilot's settings; with `cas` only if their ModifyIndex is still that given. */
export function encodeAutopilot(datacenter: string, config: AutopilotConfig, cas: boolean): Uint8Array {
  const to = new PackWriter(320)
  to.byte(CommandType.autopilot).mapHead(4).byteString('CAS').boolean(cas).byteString('Config')
  writeAutopilot(to, config)
  return to.byteString('Datacenter').text(datacenter).byteString('Token').text('').finish()
}

/** The command that does several operations or none (`structs.TxnRequest`). */
export function encodeTxn(datacenter: string, operations: readonly TxnOperation[]): Uint8Array {
  const to = new PackWriter(1024)
  to.byte(CommandType.txn).mapHead(3).byteString('Datacenter').text(datacenter)
  to.byteString('Ops').arrayHead(operations.length)
  for (const operation of operations) writeOperation(to, operation)
  return to.byteString('Token').text('').finish()
}

/** The command for one step of bringing in a state; servers of other makes may skip it. */
export function encodeRestore(part: RestorePart): Uint8Array {
  const to = new PackWriter(128 + part.data.length).byte(CommandType.restore | IGNORE_UNKNOWN)
  writeRestorePart(to, part)
  return to.finish()
}

function writeOperation(to: PackWriter, operation: TxnOperation): void {
  to.mapHead(1)
  if ('kv' in operation) {
    to.byteString('KV').mapHead(2).byteString('DirEnt')
    writeEntry(to, operation.kv)
  } else if ('node' in operation) {
    writeNode(to.byteString('Node').mapHead(2).byteString('Node'), operation.node)
  } else if ('service' in operation) {
    to.byteString('Service').mapHead(3).byteString('Node').text(operation.service.node)
    to.byteString('Service')
    writeService(to, operation.service)
  } else {
    to.byteString('Check').mapHead(2).byteString('Check')
    writeCheck(to, operation.check)
  }
  to.byteString('Verb').text(operation.verb)
}
