import type {ApplyResult} from '../../core/fsm/messages.js'
import {CommandType} from '../../core/fsm/messages.js'
import {PackReader} from '../../core/fsm/pack-reader.js'
import {readTxnOutcome} from '../../core/fsm/call-txn.js'
import {Failure} from './answers.js'
import type {Consistency} from './consistency.js'
import {OTHER_MAKE} from './consistency.js'

/** How a command is asked for at a server of another make, and what its answer means here. */
interface Asking {
  readonly method: string
  result(reader: PackReader): ApplyResult
}

const nothing = (): undefined => undefined
const truth = (reader: PackReader): boolean => reader.boolean()

/** The argument of each of these calls is what the command holds behind its first byte. */
const ASKING: ReadonlyMap<number, Asking> = new Map<number, Asking>([
  [CommandType.register, {method: 'Catalog.Register', result: nothing}],
  [CommandType.deregister, {method: 'Catalog.Deregister', result: nothing}],
  [CommandType.kvs, {method: 'KVS.Apply', result: truth}],
  [CommandType.session, {method: 'Session.Apply', result: reader => reader.text()}],
  [CommandType.txn, {method: 'Txn.Apply', result: readTxnOutcome}],
  [CommandType.autopilot, {method: 'Operator.AutopilotSetConfiguration', result: truth}],
])

/** Has a server of another make do a command, and gives what applying it answered. */
export async function appliedThere(
  consistency: Consistency,
  command: Uint8Array,
): Promise<Exclude<ApplyResult, {readonly error: string}>> {
  const asking = ASKING.get(command[0] ?? -1)
  if (asking === undefined) throw new Failure(500, OTHER_MAKE)
  const body = await consistency.askThere(asking.method, command.subarray(1), {repeatable: false})
  return asking.result(new PackReader(body)) as Exclude<ApplyResult, {readonly error: string}>
}
