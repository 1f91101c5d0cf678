import {readList, writeList} from './call-answer.js'
import type {TxnOutcome, TxnProblem, TxnResult} from './messages.js'
import type {PackReader} from './pack-reader.js'
import type {PackWriter} from './pack-writer.js'
import {eachPair, readCheck, readEntry, readNode, readService} from './read-records.js'
import {writeCheck, writeEntry, writeNode, writeService} from './write-records.js'

/** Reads a `structs.TxnResponse`. */
export function readTxnOutcome(reader: PackReader): TxnOutcome {
  let results: readonly TxnResult[] = []
  let errors: readonly TxnProblem[] = []
  eachPair(reader, key => {
    if (key === 'Results') results = readList(reader, readResult).flat()
    else if (key === 'Errors') errors = readList(reader, readProblem)
    else reader.skip()
  })
  return {results, errors}
}

/** One result, in a list because it may be of a kind that is not known here. */
function readResult(reader: PackReader): readonly TxnResult[] {
  const results: TxnResult[] = []
  eachPair(reader, key => {
    if (reader.peekNil()) return
    if (key === 'KV') results.push({kv: readEntry(reader), withValue: true})
    else if (key === 'Node') results.push({node: readNode(reader)})
    else if (key === 'Service') results.push({service: readService(reader)})
    else if (key === 'Check') results.push({check: readCheck(reader)})
    else reader.skip()
  })
  return results
}

function readProblem(reader: PackReader): TxnProblem {
  const problem = {opIndex: 0, what: ''}
  eachPair(reader, key => {
    if (key === 'OpIndex') problem.opIndex = reader.number()
    else if (key === 'What') problem.what = reader.text()
    else reader.skip()
  })
  return problem
}

/** Writes the two lists of a `structs.TxnResponse`, as two pairs of a map whose head is written already. */
export function writeTxnOutcome(to: PackWriter, {results, errors}: TxnOutcome): void {
  to.byteString('Errors')
  if (errors.length === 0) to.nil()
  else writeList(to, errors, writeProblem)
  to.byteString('Results')
  if (errors.length > 0) to.nil()
  else writeList(to, results, writeResult)
}

function writeProblem(to: PackWriter, {opIndex, what}: TxnProblem): void {
  to.mapHead(2).byteString('OpIndex').integer(opIndex).byteString('What').text(what)
}

function writeResult(to: PackWriter, result: TxnResult): void {
  to.mapHead(1)
  if ('kv' in result)
    writeEntry(to.byteString('KV'), result.withValue ? result.kv : {...result.kv, value: null})
  else if ('node' in result) writeNode(to.byteString('Node'), result.node)
  else if ('service' in result) writeService(to.byteString('Service'), result.service)
  else writeCheck(to.byteString('Check'), result.check)
}
