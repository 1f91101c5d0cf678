import {writeTxnOutcome} from '../../core/fsm/call-txn.js'
import {encodeTxn} from '../../core/fsm/commands.js'
import type {TxnOutcome} from '../../core/fsm/messages.js'
import {PackReader} from '../../core/fsm/pack-reader.js'
import {PackWriter} from '../../core/fsm/pack-writer.js'
import {applyTxn, readTxn} from '../../core/fsm/txn.js'
import {Encoded} from '../../core/wire/consul-rpc.js'
import {Failure, NOT_LEADER, NO_LEADER} from '../http/answers.js'
import type {Context} from '../http/context.js'
import {applied} from '../http/context.js'
import {txnProblems} from '../http/txn.js'

/** `Txn.Apply` (`TxnRequest`, consul agent/consul/txn_endpoint.go). */
export async function applyTxnCall(context: Context, argument: Uint8Array): Promise<Encoded> {
  const operations = readTxn(new PackReader(argument))
  const errors = txnProblems(context, operations)
  if (errors.length > 0) return encoded({results: [], errors})
  const outcome = await applied(context, encodeTxn(context.backend.identity.datacenter, operations))
  return encoded(outcome as TxnOutcome)
}

/** `Txn.Read` (`TxnReadRequest`): a transaction that changes nothing needs no entry in the log. */
export async function readTxnCall(context: Context, argument: Uint8Array): Promise<Encoded> {
  const {backend, consistency} = context
  const operations = readTxn(new PackReader(argument))
  const errors = txnProblems(context, operations)
  if (errors.length > 0) return encoded({results: [], errors})
  const problem = await backend.readBarrier()
  if (problem !== undefined)
    throw new Failure(500, problem.problem === NOT_LEADER ? NO_LEADER : problem.problem)
  const {machine} = backend
  if (machine === undefined) throw new Failure(500, NO_LEADER)
  // Done on a picture of the state, so that nothing changes even if the caller has writes among what it reads
  const change = {tables: machine.tables.fork(), index: 0, touched: [], lockDelays: []}
  return encoded(applyTxn(change, operations), consistency.meta(0).knownLeader)
}

function encoded(outcome: TxnOutcome, knownLeader?: boolean): Encoded {
  const to = new PackWriter(512).mapHead(knownLeader === undefined ? 2 : 3)
  if (knownLeader !== undefined) to.byteString('KnownLeader').boolean(knownLeader)
  writeTxnOutcome(to, outcome)
  return new Encoded(to.finish())
}
