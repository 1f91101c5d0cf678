import {Args, Flags} from '@oclif/core'
import {apiFlags, datacenterFlag} from '../../src/api-flags.js'
import {BaseCommand} from '../../src/base-command.js'

interface Deleted {
  readonly key: string
  readonly recurse: boolean
}

/** Deletes keys. */
export default class KvDelete extends BaseCommand<Deleted> {
  static override summary = 'Delete a key, or all keys that begin with a prefix.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> app/limit',
    '<%= config.bin %> <%= command.id %> --recurse app/',
  ]
  static override args = {key: Args.string({required: true, description: 'Key or prefix.'})}
  static override flags = {
    ...apiFlags,
    ...datacenterFlag,
    recurse: Flags.boolean({exclusive: ['cas'], summary: 'Every key that begins with it.'}),
    cas: Flags.integer({min: 0, helpValue: 'INDEX', summary: 'Only if it was last changed at this index.'}),
  }

  /** Asks one agent to delete. */
  async run(): Promise<Deleted> {
    const {args, flags} = await this.parse(KvDelete)
    const [{openAgentApi}, {deleteKey}, {renderDone}] = await Promise.all([
      import('../../src/open-api.js'),
      import('../../src/client/kv.js'),
      import('../../src/ui/views/done.js'),
    ])
    await deleteKey(await openAgentApi(flags), args.key, flags)
    const result = {key: args.key, recurse: flags.recurse}
    const screen = (): string =>
      renderDone(`Deleted: ${flags.recurse ? `all keys below ${args.key}` : args.key}.`)
    return this.show({result, exit: 'ok', screen}, this.terminal(flags))
  }
}
