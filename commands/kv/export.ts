import {Args} from '@oclif/core'
import {apiFlags, datacenterFlag, staleFlag} from '../../src/api-flags.js'
import {BaseCommand} from '../../src/base-command.js'
import type {ExportedKey} from '../../src/core/codec/kv-export.js'

/** Prints keys as JSON that can be imported again. */
export default class KvExport extends BaseCommand<readonly ExportedKey[]> {
  static override summary = 'Print keys and values as `consul kv export` does, for kv import.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> > keys.json',
    '<%= config.bin %> <%= command.id %> app/ --http-addr 10.0.0.1:8500 | <%= config.bin %> kv import',
  ]
  static override args = {prefix: Args.string({description: 'Only keys that begin with it.'})}
  static override flags = {...apiFlags, ...datacenterFlag, ...staleFlag}

  /** Asks one agent. */
  async run(): Promise<readonly ExportedKey[]> {
    const {args, flags} = await this.parse(KvExport)
    const [{openAgentApi}, {readKeys}, {formatKvExport}] = await Promise.all([
      import('../../src/open-api.js'),
      import('../../src/client/kv.js'),
      import('../../src/core/codec/kv-export.js'),
    ])
    const how = {recurse: true, stale: flags.stale, datacenter: flags.datacenter}
    const keys = await readKeys(await openAgentApi(flags), args.prefix ?? '', how)
    const result = keys.map(({key, flags: number, value}) => ({key, flags: number, value}))
    return this.show(
      {result, exit: 'ok', screen: () => formatKvExport(result).trimEnd()},
      this.terminal(flags),
    )
  }
}
