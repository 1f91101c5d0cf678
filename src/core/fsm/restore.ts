import type {PackReader} from './pack-reader.js'
import type {PackWriter} from './pack-writer.js'
import {eachPair} from './read-records.js'

/**
 * One step of bringing in a state by way of the log: `begin` opens it, each `part` brings some of it, `end` puts it in
 * place when all `parts` are there. So every server changes its state at the same entry, whoever leads meanwhile.
 */
export interface RestorePart {
  readonly op: string
  /** Tells one attempt from another; a `begin` ends every attempt before it. */
  readonly id: string
  readonly data: Uint8Array
  /** How many parts there were, told with `end`. */
  readonly parts: number
  /** In snapshots, with `begin`: the index of the entry that it came in. */
  readonly index: number
}

/** Writes a step. */
export function writeRestorePart(to: PackWriter, {op, id, data, parts, index}: RestorePart): void {
  to.mapHead(5).byteString('Data').raw(data).byteString('ID').text(id)
  to.byteString('Index').integer(index)
  to.byteString('Op').text(op).byteString('Parts').integer(parts)
}

/** Reads a step; its data is a copy. */
export function readRestorePart(reader: PackReader): RestorePart {
  let [op, id, data, parts, index] = ['', '', new Uint8Array(0), 0, 0]
  eachPair(reader, key => {
    if (key === 'Op') op = reader.text()
    else if (key === 'ID') id = reader.text()
    else if (key === 'Data') data = reader.raw()?.slice() ?? data
    else if (key === 'Parts') parts = reader.number()
    else if (key === 'Index') index = reader.number()
    else reader.skip()
  })
  return {op, id, data, parts, index}
}
