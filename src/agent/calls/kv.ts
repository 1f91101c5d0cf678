import {writeList} from '../../core/fsm/call-answer.js'
import {encodeKv} from '../../core/fsm/commands.js'
import {foldedKeys, getKv, listKv} from '../../core/fsm/kv.js'
import {PackReader} from '../../core/fsm/pack-reader.js'
import {readKvCommand} from '../../core/fsm/read-records.js'
import {writeEntry} from '../../core/fsm/write-records.js'
import {Failure} from '../http/answers.js'
import type {Context} from '../http/context.js'
import {applied} from '../http/context.js'
import type {QueryCall} from './query.js'

const OPERATIONS = new Set(['set', 'cas', 'lock', 'unlock', 'delete', 'delete-cas', 'delete-tree'])

/** `KVS.Apply` (`KVSRequest`, consul agent/consul/kvs_endpoint.go); whether a conditional change was made. */
export async function applyKvCall(context: Context, argument: Uint8Array): Promise<boolean> {
  const {op, entry} = readKvCommand(new PackReader(argument))
  if (!OPERATIONS.has(op)) throw new Failure(500, `Invalid KVS operation '${op}'`)
  if (entry.key === '' && op !== 'delete-tree') throw new Failure(500, 'Must provide key')
  if (op === 'lock' && context.lockDelays.holds(entry.key)) return false
  return (await applied(context, encodeKv(context.backend.identity.datacenter, op, entry))) === true
}

/** The calls that read keys. */
export const KV_QUERIES: Readonly<Record<string, QueryCall>> = {
  'KVS.Get': {
    name: 'Entries',
    watch: ({key}) => [{key}],
    run: (tables, {key}) => {
      const {index, entry} = getKv(tables, key)
      return {
        index,
        write: to => void (entry === undefined ? to.nil() : writeEntry(to.arrayHead(1), entry)),
      }
    },
  },
  'KVS.List': {
    name: 'Entries',
    watch: ({key: prefix}) => [{prefix}],
    run: (tables, {key}) => {
      const {index, entries} = listKv(tables, key)
      return {
        index,
        write: to => void (entries.length === 0 ? to.nil() : writeList(to, entries, writeEntry)),
      }
    },
  },
  'KVS.ListKeys': {
    name: 'Keys',
    watch: ({prefix}) => [{prefix}],
    run: (tables, {prefix, separator}) => {
      const {index, entries} = listKv(tables, prefix)
      return {
        index,
        write: to =>
          writeList(to, foldedKeys(entries, prefix.length, separator), (one, key) => one.byteString(key)),
      }
    },
  },
}
